# vim: set ft=hcl :
service_path = "services"

repo "rackspace" {
  user   = "user"
  key    = "key"
  region = "LON"
}

repo "s3" {
  accessKey = "access"
  secret    = "secret"
  token     = "token"
  name      = "us-west-1"
  endpoint  = "https://s3.example.com"
}

lock "consul" {
  address  = "127.0.0.1:8500"
  token    = "token"
  user     = "user"
  password = "password"
  useSSL   = true
  ttl      = "15s"
  prefix   = "dropship/services"
}
