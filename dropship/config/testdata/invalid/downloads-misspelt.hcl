maxDownload = 2               # ERROR: Unsupported argument
maxBandwith = "20MiB"         # ERROR: Unsupported argument
