server               = {{.Server}}
node_name            = "{{.Name}}"
bind_addr            = "{{.Inner}}"
client_addr          = "{{.Outer}}"
data_dir             = "{{.Data}}"
log_level            = "info"
disable_update_check = true
session_ttl_min      = "1s" # instead of 10s, so that a test can wait for a session to expire

retry_join     = [{{range .Servers}}"{{.}}", {{end}}]
retry_interval = "1s"

ui_config { enabled = false }
telemetry { disable_hostname = true }
performance {
  raft_multiplier  = 1
  leave_drain_time = "500ms" # instead of 5s: nobody but the test is served
}

# leave_on_terminate is as by default: false on servers, true on clients.
ports {
  serf_wan = -1
  dns      = -1
  grpc     = -1
  grpc_tls = -1
}
{{- if .Server}}

bootstrap_expect = {{len .Servers}}

# A server that was killed stays a voter. Else it would be none for some seconds after it is back, and two have no
# majority without each other.
autopilot { cleanup_dead_servers = false }
{{- end}}
