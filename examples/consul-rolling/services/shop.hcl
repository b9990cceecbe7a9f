service "shop" {
  # At most two machines of the group are updated at once, and each keeps its slot for half a minute after a
  # good update, so that a fault has time to show.
  sequentialUpdates = true
  updateSlots       = 2
  updateGroup       = "frontend"
  updateTTL         = "30s"

  # Consul tells the load balancer to leave this machine alone …
  before "consul-maintenance" {
    service = "shop"
    reason  = "installing {{.Hash}}"
  }

  before "script" {
    command = "systemctl stop shop"
  }

  artifact "s3" {
    bucket      = "example-releases"
    path        = "shop.tar.gz"
    destination = "/srv/shop"
  }

  after "script" {
    command = "systemctl start shop"
  }

  # … until the new release answers. If it does not, the previous one is put back.
  after "http-check" {
    url      = "http://127.0.0.1:8080/health"
    deadline = "60s"
  }

  after "consul-maintenance" {
    service = "shop"
  }

  after "graphite-event" {
    host = "http://graphite.example.com"
    tags = "deployment"
    what = "{{.Name}} deployed on {{.Hostname}}"
    data = "{{.PreviousHash}} to {{.Hash}}"
  }
}

# Of the same group, so that these two share the slots: no more than two machines are ever out of service,
# whichever of the two is updated.
service "search" {
  sequentialUpdates = true
  updateSlots       = 2
  updateGroup       = "frontend"

  artifact "s3" {
    bucket      = "example-releases"
    path        = "search.tar.gz"
    destination = "/srv/search"
  }

  after "script" {
    command = "systemctl restart search"
  }

  after "tcp-check" {
    address  = "127.0.0.1:9300"
    deadline = "2m"
  }
}
