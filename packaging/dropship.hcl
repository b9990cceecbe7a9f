# Dropship's configuration. What is commented out shows the default, or, behind "for example", what might stand there.
#
#   dropship validate           checks it, offline: every mistake with its file, line and column
#   dropship plan               shows what would be done
#   systemctl reload dropship   puts it in force; while there is a mistake in it the old one stays
#
# See dropship.hcl(5). Services go into files of their own, *.hcl in services/: there are some to copy in
# /usr/share/doc/dropship/examples.

# A directory of which every *.hcl is read, too. Relative to this file.
service_path = "services"

# Where Dropship remembers what it installed.
# stateDir = "/var/lib/dropship"

# Unix socket for commands that speak to the running agent.
# socket = "/run/dropship/dropship.sock"

# How many artifacts are fetched at once from one store.
# maxDownloads = 4

# How fast all downloads are together, in bytes a second. Without it there is no limit. For example:
# maxBandwidth = "20MiB"

# Where artifacts come from. A repository that can do without settings needs no block: artifact "s3" alone takes
# credentials and region from where AWS tools do (AWS_*, the shared configuration files, the machine's role).
#
# A secret can stand here, in the environment (env("NAME"), from /etc/default/dropship), or in a credential of the
# unit: a file of root's alone in /etc/credstore, which the service finds in CREDENTIALS_DIRECTORY.

# For example:
# repo "s3" {
#   name      = "eu-central-1"                # region
#   endpoint  = "https://minio.example.com"   # another server than Amazon's
#   accessKey = file("${env("CREDENTIALS_DIRECTORY", "/etc/credstore")}/dropship.s3-access-key")
#   secret    = file("${env("CREDENTIALS_DIRECTORY", "/etc/credstore")}/dropship.s3-secret")
#   token     = env("AWS_SESSION_TOKEN")      # belongs to temporary credentials
# }
# repo "swift" {
#   user    = "deploy"
#   key     = file("${env("CREDENTIALS_DIRECTORY", "/etc/credstore")}/dropship.swift-key")
#   authUrl = "https://keystone.example.com/v3"
# }
# repo "http" {
#   url = "https://artifacts.example.com"
# }
# repo "file" {
#   root = "/srv/artifacts"
# }

# Consul, for turns, hooks and what the machines tell each other.
# consul {
#   address = "127.0.0.1:8500"                # or CONSUL_HTTP_ADDR
#   token   = env("CONSUL_HTTP_TOKEN", "")
#   useSSL  = false
# }

# Where services with sequentialUpdates = true take their turns. Either this
# lock "consul" {
#   prefix = "dropship/slots"                 # the same on every machine
#   ttl    = "15s"
# }
# or, for a single machine without Consul, for example
# lock "file" {
#   path = "/run/dropship/lock"
# }

# Figures of what the agent does: none, unless there is such a block. /usr/share/doc/dropship/docs/metrics.md lists them.
# metrics "prometheus" {
#   listen = "127.0.0.1:10747"                # answers scrapes of /metrics, for whoever reaches it
# }
# For example:
# metrics "graphite" {
#   host     = "graphite.example.com"         # carbon, or a relay
#   port     = 2003
#   prefix   = "dropship.web-07"              # the default has this machine's name, with _ for dots
#   interval = "10s"
# }

# A trace of each update: none, unless there is such a block.
# tracing "otlp" {
#   endpoint = "http://127.0.0.1:4318"        # or OTEL_EXPORTER_OTLP_ENDPOINT
# }
