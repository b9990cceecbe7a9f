service_path = "${"services"}"
stateDir     = "/var/lib/dropship-test"
socket       = "/run/dropship-test.sock"

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
