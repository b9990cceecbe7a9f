maxDownloads = "some"      # ERROR: Invalid maxDownloads
maxBandwidth = "20Mbit/s"  # ERROR: Invalid size
