service "my service" { # ERROR: Invalid service name
  sequentialUpdates = true
  updateGroup       = "../web" # ERROR: Invalid updateGroup
  hash              = "abc"    # ERROR: Invalid hash

  artifact "s3" {
    bucket      = "b"
    path        = "a.tar.gz"
    destination = "/srv/a"
  }
}

service ".hidden" { # ERROR: Invalid service name
  artifact "s3" {
    bucket      = "b"
    path        = "b.tar.gz"
    destination = "/srv/b"
  }
}

service { # ERROR: Missing name for service
}

service "two" "names" { # ERROR: Extraneous label for service
}
