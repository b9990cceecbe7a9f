# The oldest form: it works, with warnings that say what to write instead.
service "legacy" {
  sequentialUpdates = true
  checkInterval     = "10s"
  updateTTL         = "30s"
  hash              = "d41d8cd98f00b204e9800998ecf8427e"

  preCommand  = "initctl legacy stop"
  postCommand = "initctl legacy start"

  artifact "rackspace" {
    bucket       = "releases"
    path         = "legacy"
    destination  = "/srv/legacy"
    content-type = "application/gzip"
  }
}
