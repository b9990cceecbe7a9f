service "web" {
  sequentialUpdates = true
  checkInterval     = "tenz" # ERROR: Invalid duration
  updateTTL         = 30     # ERROR: Invalid duration

  before "script" {
    command = "true"
    timeout = "10" # ERROR: Invalid duration
  }

  artifact "s3" {
    bucket      = "b"
    path        = "web.tar.gz"
    destination = "/srv/web"
  }

  after "script" {
    command = "true"
    timeout = "-10s" # ERROR: Duration out of range
  }
}

service "fast" {
  checkInterval = "99ms" # ERROR: Duration out of range

  artifact "s3" {
    bucket      = "b"
    path        = "fast.tar.gz"
    destination = "/srv/fast"
  }

  after "script" {
    command = "true"
    timeout = -1 # ERROR: Invalid duration
  }
}

service "api" {
  checkInterval = "0s" # ERROR: Duration out of range

  artifact "s3" {
    bucket      = "b"
    path        = "api.tar.gz"
    destination = "/srv/api"
  }

  after "script" {
    command = "true"
    timeout = ["10s"] # ERROR: Invalid duration
  }
}
