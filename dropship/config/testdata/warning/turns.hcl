service "web" {
  updateSlots = 2     # WARNING: No effect without sequentialUpdates
  updateGroup = "web" # WARNING: No effect without sequentialUpdates
  updateTTL   = "10s" # WARNING: No effect without sequentialUpdates

  artifact "s3" {
    bucket      = "b"
    path        = "web.tar.gz"
    destination = "/srv/web"
  }
}
