service "web" { # ERROR: Duplicate service
  checkInterval = "soon" # ERROR: Invalid duration

  artifact "s3" {
    bucket      = "b"
    path        = "b.tar.gz"
    destination = "/srv/b"
  }
}
