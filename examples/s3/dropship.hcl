# Artifacts in Amazon S3, or on a server that speaks its protocol.

repo "s3" {
  name = "eu-central-1" # the region

  # Without credentials here they are found as by every AWS tool: the AWS_* environment, a profile, or
  # the role of the machine, which is best. To give them:
  #
  #   accessKey = "…"
  #   secret    = file("/etc/dropship.d/s3-secret")
}

# Another server is another repo, with a name of its own.
repo "minio" {
  type      = "s3"
  endpoint  = "https://minio.example.com:9000"
  accessKey = env("MINIO_ACCESS_KEY")
  secret    = env("MINIO_SECRET_KEY")
}

service "shop" {
  checkInterval = "30s"

  before "script" {
    command = "systemctl stop shop"
  }

  artifact "s3" {
    bucket      = "example-releases"
    path        = "shop/production/shop.tar.gz"
    destination = "/srv/shop"

    # These stay when a new release comes.
    persist = ["log", "public/uploads"]

    # Three previous releases are kept to go back to, unless this says otherwise.
    keepReleases = 5
  }

  after "script" {
    command = "systemctl start shop"
  }

  after "http-check" {
    url      = "http://127.0.0.1:3000/health"
    deadline = "60s"
  }
}

# A single file is an artifact, too.
service "metrics-exporter" {
  artifact "minio" {
    bucket      = "tools"
    path        = "metrics-exporter"
    destination = "/usr/local/bin/metrics-exporter"
    type        = "file"
  }

  after "script" {
    command = ["systemctl", "restart", "metrics-exporter"] # a list: no shell sees it
  }
}
