# vim: set ft=hcl :
# The main file of the first version of Dropship, with all that it knew. It needs no change.
service_path = "services"

# Without credentials in the file, Dropship now finds them as every AWS tool does.
repo "s3" {
  accessKey = "AKIAIOSFODNN7EXAMPLE"
  secret    = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
  name      = "us-west-1"
}

repo "rackspace" {
  user   = "example"
  key    = "0123456789abcdef0123456789abcdef"
  region = "LON"
}

lock "consul" {
  address  = "127.0.0.1:8500"
  token    = "anonymous"
  user     = "dropship"
  password = "example"
  useSSL   = false
  ttl      = "15s"
  prefix   = "dropship/services"
}
