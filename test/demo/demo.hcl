# What `make demo` runs. It is examples/quickstart: one service, its artifacts in a directory, a script that
# restarts the application, a check that it answers. Only that scripts stop and start the application here, as
# there may be no systemd, that folder and address are the demo's own, and that nothing takes long.
stateDir = "${env("DEMO_DIR")}/state"
socket   = "${env("DEMO_DIR")}/dropship.sock"

repo "file" {
  root = "${env("DEMO_DIR")}/artifacts"
}

service "hello" {
  checkInterval = "1s"

  before "script" {
    command = "test ! -f ../hello.pid || kill $(cat ../hello.pid)"
  }

  artifact "file" {
    path        = "hello.tar.gz"
    destination = "${env("DEMO_DIR")}/srv/hello"
  }

  # Runs when the new release is in place.
  after "script" {
    command = "setsid ./app \"$ADDRESS\" >>../hello.log 2>&1 & echo $! >../hello.pid"
    env     = { ADDRESS = env("DEMO_ADDRESS") }
  }

  # If the page does not come up, the previous release is put back, and this one is not tried again.
  after "http-check" {
    url      = "http://${env("DEMO_ADDRESS")}/"
    contains = "version"
    interval = "200ms"
    deadline = "3s"
  }
}
