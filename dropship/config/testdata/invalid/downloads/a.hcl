maxDownloads = 0           # ERROR: Number out of range
maxBandwidth = "0"         # ERROR: Size out of range
