maxDownloads = 1001               # ERROR: Number out of range
maxBandwidth = "99999999TiB"      # ERROR: Size out of range
