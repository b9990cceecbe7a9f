# Reached a second time, this is read once.
service_path = "../services"

service "web" {
  sequentialUpdates = "true"
  checkInterval     = "1m30s"
  updateTTL         = "30s"
  updateSlots       = "3"
  updateGroup       = "site"
  hash              = "D41D8CD98F00B204E9800998ECF8427E"

  before "script" {
    command = "systemctl stop web"
    timeout = "1m"
    onError = "continue"
    when    = "failure"
  }

  artifact "archive" {
    path         = "web-${env("DROPSHIP_TEST_NEVER_SET", "stable")}"
    destination  = "/srv/web"
    content-type = "application/x-gzip; charset=binary"
    keepReleases = 0
    persist      = ["log", "data/uploads"]
    owner        = 0
    group        = "root"
    setuid       = true
    maxSize      = "20GiB"
    maxEntries   = 1000
    maxRatio     = 50
  }

  after "graphite-event" {
    host = file("../graphite.url")
    tags = "deployment ${hostname}"
    what = "deployed {{.Name}}"
  }
}

service "jar" {
  artifact "archive" {
    path        = "tool.jar"
    destination = "/srv/tool.jar"
  }
}

service "plain" {
  artifact "archive" {
    type        = null # as if it were not there
    path        = "plain"
    destination = "/srv/plain"
  }
}

service "zip" {
  artifact "archive" {
    path        = "plain.bin"
    destination = "/srv/zip"
    type        = "zip"
  }
}
