# A fleet of machines behind Consul: the same files on each of them.

service_path = "services"

# The local agent, for the slots and for the hooks. Without a token here it is taken from CONSUL_HTTP_TOKEN.
consul {
  address = "127.0.0.1:8500"
}

# Consul is where turns are taken without this block, too.
lock "consul" {
  ttl = "15s" # a machine that died keeps its slot for that long, and at most twice that
}
