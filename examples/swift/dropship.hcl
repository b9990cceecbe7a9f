# Artifacts in OpenStack Swift. The credentials are in the environment of the daemon: with systemd, in
# /etc/default/dropship.

repo "swift" {
  user    = env("SWIFT_USER")
  key     = env("SWIFT_KEY")
  authUrl = "https://keystone.example.com:5000/v3" # or …/auth/v1.0, …/v2.0
  tenant  = "production"
  region  = "RegionOne"
}

service "wiki" {
  before "systemd" {
    stop = "wiki"
  }

  artifact "swift" {
    bucket      = "releases"
    path        = "wiki.tar.zst"
    destination = "/srv/wiki"
  }

  after "systemd" {
    start = "wiki"
  }
}
