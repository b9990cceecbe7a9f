repo "rackspace" { user = "u" region = "LON" } # ERROR: Invalid single-argument block definition
