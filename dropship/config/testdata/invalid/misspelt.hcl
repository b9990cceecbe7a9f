stateDri = "/var/lib/dropship" # ERROR: Unsupported argument

servic "api" { # ERROR: Unsupported block type
}

repo "s3" {
  acessKey = "AKIA" # ERROR: Unsupported argument
}

lock "consul" {
  prefx = "dropship" # ERROR: Unsupported argument
}

service "web" {
  chekInterval = "10s" # ERROR: Unsupported argument

  befor "script" { # ERROR: Unsupported block type
    command = "true"
  }

  artifact "s3" {
    bucket      = "b"
    path        = "web.tar.gz"
    destination = "/srv/web"
    persits     = ["log"] # ERROR: Unsupported argument
  }

  after "script" { # ERROR: Missing command
    comand = "true" # ERROR: Unsupported argument
    timout = "10s"  # ERROR: Unsupported argument
  }
}
