service_path = "${"services"}"
stateDir     = "/var/lib/dropship-test"
socket       = "/run/dropship-test.sock"
maxDownloads = 2
maxBandwidth = "20MiB/s"

consul {
  address = "127.0.0.1:8500"
}

lock "file" {
  path = "/run/dropship-test.lock"
}

repo "archive" {
  type = "file"
  root = "/srv/artifacts"
}

metrics "prometheus" {
  listen = "[::1]:10747"
}

metrics "graphite" {
  host     = "127.0.0.1"
  port     = 2013
  prefix   = "servers.${hostname}.dropship"
  interval = "1m"
}

tracing "otlp" {
  endpoint = "http://127.0.0.1:4318"
}
