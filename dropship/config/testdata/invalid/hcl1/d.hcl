service "web" {
  artifact = { # ERROR: Unsupported argument
    bucket = "b"
  }

  artifact "s3" {
    bucket      = "b"
    path        = "b.tar.gz"
    destination = "/srv/b"
  }
}
