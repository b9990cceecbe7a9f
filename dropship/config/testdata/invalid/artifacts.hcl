service "none" { # ERROR: Missing artifact block
}

service "two" {
  artifact "s3" {
    bucket      = "b"
    path        = "one.tar.gz"
    destination = "/srv/one"
  }

  artifact "s3" { # ERROR: Duplicate artifact block
    bucket      = "b"
    path        = "two.tar.gz"
    destination = "/srv/one" # which is nobody's yet: it is the block that is too many
    type        = "tgz"      # ERROR: Unknown artifact type
  }

  artifact "http" { # ERROR: Duplicate artifact block # ERROR: No repo block
    path        = "three.tar.gz"
    destination = "/srv/three"
  }
}

service "nowhere" {
  artifact "s3" { # ERROR: Missing destination
    bucket = "b"
    path   = "nowhere.tar.gz"
  }
}

service "nothing" {
  artifact "s3" { # ERROR: Missing required argument # ERROR: Missing required argument
    destination = "/srv/nothing"
  }
}

service "empty" {
  artifact "s3" {
    bucket      = "b"
    path        = "empty.tar.gz"
    destination = "" # ERROR: Empty destination
  }
}

service "format" {
  artifact "s3" {
    bucket      = "b"
    path        = "format"
    destination = "/srv/format"
    type        = "tgz" # ERROR: Unknown artifact type
  }
}

service "owner" {
  artifact "s3" {
    bucket      = "b"
    path        = "owner.tar.gz"
    destination = "/srv/owner"
    owner       = "nobody-of-that-name" # ERROR: Unknown user
    group       = 99999999999           # ERROR: Invalid group
  }
}

service "persist" {
  artifact "s3" {
    bucket      = "b"
    path        = "persist.tar.gz"
    destination = "/srv/persist"
    persist = [
      "log",
      "../data",   # ERROR: Invalid persist path
      "/var/data", # ERROR: Invalid persist path
      ".",         # ERROR: Invalid persist path
      "log/old",   # ERROR: Invalid persist path
    ]
  }
}

service "single" {
  artifact "s3" {
    bucket      = "b"
    path        = "single"
    destination = "/srv/single"
    persist     = ["log"] # ERROR: Nothing to persist
  }
}

service "list" {
  artifact "s3" {
    bucket      = "b"
    path        = "list.tar.gz"
    destination = "/srv/list"
    persist     = "log" # ERROR: Invalid persist
  }
}

service "null" {
  artifact "s3" { # ERROR: Missing destination
    bucket      = "b"
    path        = "null.tar.gz"
    destination = null
  }
}
