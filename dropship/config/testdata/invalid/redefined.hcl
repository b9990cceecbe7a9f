maxBandwidth = "20MiB"
maxBandwidth = "30MiB" # ERROR: Attribute redefined
maxDownloads = -1      # ERROR: Number out of range

# All else is looked at all the same.
service "web" {
  checkInterval = "10s"
  checkInterval = "20s"  # ERROR: Attribute redefined
  updateTTL     = "soon" # ERROR: Invalid duration # WARNING: No effect without sequentialUpdates
  hash          = nope   # ERROR: Unknown variable

  artifact "s3" {
    bucket      = "b"
    path        = "web.tar.gz"
    destination = "/srv/web"
  }
}
