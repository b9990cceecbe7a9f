# Eight different mistakes: eight messages, each at its line.
repo "s3" {
  acessKey = "AKIA" # ERROR: Unsupported argument
}

service "web" {
  sequentialUpdates = true
  checkInterval     = "10 seconds" # ERROR: Invalid duration
  updateSlots       = 0            # ERROR: Number out of range

  before "scrpt" { # ERROR: Unknown hook
    command = "systemctl stop web"
  }

  artifact "s4" { # ERROR: Unknown repo
    bucket      = "b"
    path        = "web.tar.gz"
    destination = "/srv/web"
  }

  after "graphite-event" {
    host = "http://graphite.example.com"
    what = "deployed {{.Nmae}}" # ERROR: Invalid template
  }
}

service "web" { # ERROR: Duplicate service
  artifact "s3" {
    bucket      = "b"
    path        = "web.tar.gz"
    destination = "/srv/web/api" # ERROR: Destination inside another
  }
}
