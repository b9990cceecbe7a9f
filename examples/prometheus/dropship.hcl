# An agent that Prometheus can ask how its services are.

metrics "prometheus" {
  # For Prometheus on another machine. Whoever reaches this port can read what is installed: let the firewall see to
  # who that is. Without listen it is 127.0.0.1:10747, for a Prometheus on this one.
  listen = ":10747"
}

repo "http" {
  url = "https://artifacts.example.com"
}

service "shop" {
  artifact "http" {
    path        = "shop/latest.tar.gz"
    destination = "/srv/shop"
  }

  after "script" {
    command = "systemctl restart shop"
  }

  after "http-check" {
    url      = "http://127.0.0.1:8080/health"
    deadline = "60s"
  }
}
