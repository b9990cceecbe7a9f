rackspace { # WARNING: Deprecated block
  user   = "u"
  key    = "k"
  region = "LON"
}

service "web" {
  preCommand  = "systemctl stop web"  # WARNING: Deprecated argument
  postCommand = "systemctl start web" # WARNING: Deprecated argument

  artifact "rackspace" {
    bucket      = "b"
    path        = "web.tar.gz"
    destination = "/srv/web"
  }
}
