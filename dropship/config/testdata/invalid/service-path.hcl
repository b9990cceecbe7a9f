service_path = "no/such/directory" # ERROR: No such directory

service "web" {
  checkInterval = "soon" # ERROR: Invalid duration

  artifact "s3" {
    bucket      = "b"
    path        = "b.tar.gz"
    destination = "/srv/b"
  }
}
