# One machine, no other server: artifacts are files in a directory. `make demo` shows the same at work.

repo "file" {
  root = "/srv/artifacts"
}

service "hello" {
  checkInterval = "5s"

  artifact "file" {
    path        = "hello.tar.gz"
    destination = "/srv/hello"
  }

  # Runs when the new release is in place.
  after "systemd" {
    restart = "hello"
  }

  # If the page does not come up, the previous release is put back, and this one is not tried again.
  after "http-check" {
    url      = "http://127.0.0.1:8000/"
    contains = "version"
    deadline = "10s"
  }
}
