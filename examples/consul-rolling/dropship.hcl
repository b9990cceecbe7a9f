# A fleet of machines behind Consul: the same files on each of them.

service_path = "services"

# When a release comes out, the whole fleet fetches it at about the same time: what each machine may take of the store's
# and the network's bandwidth, in bytes a second, and how many artifacts it fetches at once from one store.
maxBandwidth = "20MiB"
maxDownloads = 2

# The local agent, for the slots and for the hooks. Without a token here it is taken from CONSUL_HTTP_TOKEN.
consul {
  address = "127.0.0.1:8500"
}

# Consul is where turns are taken without this block, too.
lock "consul" {
  ttl = "15s" # a machine that died keeps its slot for that long, and at most twice that
}
