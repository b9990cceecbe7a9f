maxBandwidth = 20  # ERROR: Bandwidth out of range
