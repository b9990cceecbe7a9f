maxDownloads = -1          # ERROR: Number out of range
maxBandwidth = "-20MiB"    # ERROR: Invalid size
