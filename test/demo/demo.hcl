# What `make demo` runs: one service, its artifacts in a directory, no server but the application itself.
stateDir = "${env("DEMO_DIR")}/state"

repo "file" {
  root = "${env("DEMO_DIR")}/artifacts"
}

service "web" {
  checkInterval = "1s"

  before "script" {
    command = "test ! -f ../web.pid || kill $(cat ../web.pid)"
  }

  artifact "file" {
    path        = "web.tar.gz"
    destination = "${env("DEMO_DIR")}/srv/web"
  }

  after "script" {
    command = "setsid ./app \"$ADDRESS\" >>../web.log 2>&1 & echo $! >../web.pid"
    env     = { ADDRESS = env("DEMO_ADDRESS") }
  }

  after "http-check" {
    url      = "http://${env("DEMO_ADDRESS")}/"
    interval = "200ms"
    deadline = "3s"
  }
}
