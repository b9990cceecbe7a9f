stateDir = "/srv/other" # ERROR: Duplicate stateDir

repo "s3" { # ERROR: Duplicate repo
}

repo "rackspace" { # ERROR: Duplicate repo
}

lock "file" { # ERROR: Duplicate lock block
}

consul { # ERROR: Duplicate consul block
}

metrics "prometheus" { # ERROR: Duplicate metrics block
}

metrics "graphite" {
  host = "127.0.0.1"
}

tracing "otlp" { # ERROR: Duplicate tracing block
}
