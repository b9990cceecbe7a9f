service "web" {
  artifact "s3" {
    bucket      = "b"
    path        = "web.tar.gz"
    destination = "/srv/web"
  }

  after "graphite-event" {
    host = "http://graphite.example.com"
    what = "deployed {{.Nam}}"  # ERROR: Invalid template
    data = "{{.Hash"            # ERROR: Invalid template
  }
}
