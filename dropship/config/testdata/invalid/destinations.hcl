stateDir = "/srv/state"

service "a" {
  artifact "s3" {
    bucket      = "b"
    path        = "a.tar.gz"
    destination = "/srv/app"
  }
}

service "same" {
  artifact "s3" {
    bucket      = "b"
    path        = "b.tar.gz"
    destination = "/srv/x/../app/" # ERROR: Duplicate destination
  }
}

service "inside" {
  artifact "s3" {
    bucket      = "b"
    path        = "c.tar.gz"
    destination = "/srv/app/plugin" # ERROR: Destination inside another
  }
}

service "releases" {
  artifact "s3" {
    bucket      = "b"
    path        = "d.tar.gz"
    destination = "/srv/.app.dropship/x" # ERROR: Destination inside another
  }
}

service "beside" {
  artifact "s3" {
    bucket      = "b"
    path        = "e.tar.gz"
    destination = "/srv/app2"
  }
}

service "around" {
  artifact "s3" {
    bucket      = "b"
    path        = "f.tar.gz"
    destination = "/opt/.tool.dropship"
  }
}

service "tool" {
  artifact "s3" {
    bucket      = "b"
    path        = "g.tar.gz"
    destination = "/opt/tool" # ERROR: Destination inside another
  }
}

service "state" {
  artifact "s3" {
    bucket      = "b"
    path        = "h.tar.gz"
    destination = "/srv/state/h" # ERROR: Destination overlaps stateDir
  }
}

service "root" {
  artifact "s3" {
    bucket      = "b"
    path        = "i.tar.gz"
    destination = "/" # ERROR: Invalid destination
  }
}

service "system" {
  artifact "s3" {
    bucket      = "b"
    path        = "system.tar.gz"
    destination = "/usr/local/bin/" # ERROR: Invalid destination
  }
}

service "home" {
  artifact "s3" {
    bucket      = "b"
    path        = "home.tar.gz"
    destination = "/home" # ERROR: Invalid destination
  }
}

service "below" {
  artifact "s3" {
    bucket      = "b"
    path        = "below"
    destination = "/usr/local/bin/below"
  }
}
