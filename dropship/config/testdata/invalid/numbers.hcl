service "web" {
  sequentialUpdates = "perhaps" # ERROR: Invalid sequentialUpdates
  updateSlots       = 0         # ERROR: Number out of range

  artifact "s3" {
    bucket       = "b"
    path         = "web.tar.gz"
    destination  = "/srv/web"
    keepReleases = -1      # ERROR: Number out of range
    maxSize      = "20GiB"
    maxEntries   = 0       # ERROR: Number out of range
    maxRatio     = 1.5     # ERROR: Invalid maxRatio
    setuid       = "maybe" # ERROR: Invalid setuid
  }
}

service "api" {
  sequentialUpdates = true
  updateSlots       = "several" # ERROR: Invalid updateSlots
  updateGroup       = ["web"]   # ERROR: Invalid updateGroup

  artifact "s3" {
    bucket       = "b"
    path         = "api.tar.gz"
    destination  = "/srv/api"
    keepReleases = 99999999999999999999 # ERROR: Number out of range
    maxSize      = "20 apples"          # ERROR: Invalid size
  }
}

service "worker" {
  artifact "s3" {
    bucket      = "b"
    path        = "worker.tar.gz"
    destination = "/srv/worker"
    maxSize     = "0GiB" # ERROR: Size out of range
  }
}

service "cron" {
  artifact "s3" {
    bucket      = "b"
    path        = "cron.tar.gz"
    destination = "/srv/cron"
    maxSize     = "-5GiB" # ERROR: Invalid size
  }
}

service "huge" {
  artifact "s3" {
    bucket      = "b"
    path        = "huge.tar.gz"
    destination = "/srv/huge"
    maxSize     = "99999999TiB" # ERROR: Size out of range
  }
}
