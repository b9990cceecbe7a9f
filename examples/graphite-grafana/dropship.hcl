# Each deployment as a mark on the graphs: one event in Graphite for every update. And graphs of Dropship itself.

metrics "graphite" {
  host = "graphite.example.com"
}

repo "http" {
  url = "https://artifacts.example.com"
}

service "shop" {
  before "script" {
    command = "systemctl stop shop"
  }

  artifact "http" {
    path        = "shop/latest.tar.gz"
    destination = "/srv/shop"
  }

  after "script" {
    command = "systemctl start shop"
  }

  # The service's name is added to the tags. {{…}} is filled in for every event.
  after "graphite-event" {
    host = "http://graphite.example.com"
    tags = "deployment production"
    what = "{{.Name}} deployed on {{.Hostname}}"
    data = "{{.Hash}}"
  }

  # The same for what went wrong: announcements are made of good updates unless told otherwise.
  after "graphite-event" {
    host = "http://graphite.example.com"
    tags = "deployment-failed"
    what = "{{.Name}} {{.Status}} on {{.Hostname}}"
    data = "{{.Error}}"
    when = "failure"
  }
}
