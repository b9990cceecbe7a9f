lock "consul" = { # ERROR: Invalid block definition
}
