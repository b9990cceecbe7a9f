service_path = "services"
stateDir     = "/srv/state"
socket       = "/run/dropship.sock"
maxBandwidth = "20MiB/s"

repo "s3" {
}

lock "consul" {
}

consul {
}

rackspace { # WARNING: Deprecated block
  user = "u"
  key  = "k"
}

service "web" {
  artifact "s3" {
    bucket      = "b"
    path        = "a.tar.gz"
    destination = "/srv/a"
  }
}

metrics "prometheus" {
}

tracing "otlp" {
  endpoint = "http://127.0.0.1:4318"
}
