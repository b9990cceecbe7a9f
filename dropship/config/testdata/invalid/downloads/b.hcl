maxDownloads = 2           # ERROR: Duplicate maxDownloads
maxBandwidth = "1MiB"      # ERROR: Duplicate maxBandwidth
