stateDir = "/srv/other" # ERROR: Duplicate stateDir

# What else is wrong with a duplicate is told beside it.
socket       = "" # ERROR: Duplicate socket # ERROR: Empty socket
maxBandwidth = 20 # ERROR: Duplicate maxBandwidth # ERROR: Bandwidth out of range

repo "s3" { # ERROR: Duplicate repo
  region = "x" # ERROR: Unsupported argument
}

repo "rackspace" { # ERROR: Duplicate repo # ERROR: Missing required argument # ERROR: Missing required argument
}

lock "file" { # ERROR: Duplicate lock block # ERROR: Missing required argument
}

consul { # ERROR: Duplicate consul block
  addres = "127.0.0.1:8500" # ERROR: Unsupported argument
}

metrics "prometheus" { # ERROR: Duplicate metrics block
  listen = "nowhere" # ERROR: Invalid listen
}

metrics "graphite" {
  host = "127.0.0.1"
}

tracing "otlp" { # ERROR: Duplicate tracing block
  endpiont = "http://127.0.0.1:4318" # ERROR: Unsupported argument
}
