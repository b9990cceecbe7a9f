service "web" {
  "checkInterval" = "10s" # ERROR: Invalid argument name
}
