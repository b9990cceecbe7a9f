stateDir = "/srv/other" # ERROR: Duplicate stateDir

repo "s3" { # ERROR: Duplicate repo
}

repo "rackspace" { # ERROR: Duplicate repo
}

lock "file" { # ERROR: Duplicate lock block
}

consul { # ERROR: Duplicate consul block
}
