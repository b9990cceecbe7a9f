bind_addr            = "127.0.0.1"
client_addr          = "127.0.0.1"
node_name            = "{{.Node}}"
log_level            = "info"
disable_update_check = true
session_ttl_min      = "1s" # instead of 10s, so that a test can wait for a session to expire

ui_config { enabled = false }
telemetry { disable_hostname = true }

# -1: not listened on.
ports {
  http     = {{.HTTP}}
  server   = {{.Server}}
  serf_lan = {{.Serf}}
  serf_wan = -1
  dns      = -1
  grpc     = -1
  grpc_tls = -1
}
{{- with .DataDir}}

# State survives a restart and a SIGKILL.
server             = true
bootstrap_expect   = 1
data_dir           = "{{.}}"
leave_on_terminate = false

performance { raft_multiplier = 1 }
{{- end}}
{{- with .Token}}

acl {
  enabled        = true
  default_policy = "deny"
  tokens {
    initial_management = "{{.}}"
    agent              = "{{.}}"
  }
}
{{- end}}
