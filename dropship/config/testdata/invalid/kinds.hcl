repo "mirror" { # ERROR: Unknown repo type
}

repo "backup" {
  type = "s4" # ERROR: Unknown repo type
}

lock "etcd" { # ERROR: Unknown lock
}

service "web" {
  before "scrip" { # ERROR: Unknown hook
    command = "true"
  }

  artifact "s33" { # ERROR: Unknown repo
    bucket      = "b"
    path        = "web.tar.gz"
    destination = "/srv/web"
  }

  after "sms" { # ERROR: Unknown hook
    onError = "ignore" # ERROR: Invalid onError
    when    = "allways" # ERROR: Invalid when
  }
}

service "api" {
  # What is wrong with a repo is said there, once.
  artifact "mirror" {
    path        = "api.tar.gz"
    destination = "/srv/api"
  }
}

service "worker" {
  before "script" {
    command = "true"
    tiemout = "10s" # ERROR: Unsupported argument
  }

  # All but what only a repository can tell.
  artifact "file" { # ERROR: No repo block
    path         = "worker.tar.gz"
    destination  = "/srv/worker"
    keepReleases = -1 # ERROR: Number out of range
    owner        = "nobody-of-that-name" # ERROR: Unknown user
  }
}

metrics "promethius" { # ERROR: Unknown metrics
}

metrics "graphite" {
  host = "http://graphite.example.com" # ERROR: Invalid host
  prot = 2003 # ERROR: Unsupported argument
}

tracing "zipkin" { # ERROR: Unknown tracing
}
