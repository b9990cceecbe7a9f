# What the broken file names is not missed here, and every other mistake is found.
service "api" {
  checkInterval = "soon" # ERROR: Invalid duration

  artifact "mirror" {
    path        = "a.tar.gz"
    destination = "/srv/a"
  }

  artifact "elsewhere" { # ERROR: Duplicate artifact block
    path        = "a.tar.gz"
    destination = "/srv/a"
  }
}

# Its block may be in the broken file, and all the same it needs a path.
service "worker" {
  artifact "s3" { # ERROR: Missing required argument
    bucket      = "b"
    destination = "/srv/worker"
  }
}
