// Package metrics counts what an agent does. A Meter turns events, and what the agent knows of its services, into
// samples; package prometheus below it is asked for them, and package graphite sends them. Both tell the same: All lists
// every metric, and docs/metrics.md describes them.
package metrics

// A Type is what can be done with a metric's values.
type Type int

// The types.
const (
	// Counter : only rises, from 0 at the start of the agent.
	Counter Type = iota
	// Gauge : rises and falls.
	Gauge
	// Summary : a sum and a count, both counters.
	Summary
)

// A Metric describes samples of one name.
type Metric struct {
	Name   string // Prometheus'
	Help   string
	Type   Type
	Labels []string
	// Path is the name in Graphite, below the prefix, with {label} for the value of a label. Of a Summary it is what
	// .sum and .count are added to.
	Path string
	// Hashed : in Graphite, where a hash in a path would be a file for each release, the value is the hash instead, the
	// first 12 hex digits of the label of that name as a number.
	Hashed bool
}

// A Sample is the value of a metric for some labels.
type Sample struct {
	*Metric
	Values []string // of the labels, in their order
	Value  float64  // the sum of a Summary
	Count  uint64   // of a Summary
}

// The metrics. Those with the label service end with their service.
var (
	Checks = &Metric{
		Name: "dropship_checks_total", Type: Counter, Labels: []string{"service", "result"},
		Help: "Checks of the repository, by what came of them.",
		Path: "services.{service}.checks.{result}",
	}
	Updates = &Metric{
		Name: "dropship_updates_total", Type: Counter, Labels: []string{"service", "status", "result"},
		Help: "Updates that ended, and rollbacks that a person asked for, by what came of them.",
		Path: "services.{service}.updates.{status}.{result}",
	}
	Steps = &Metric{
		Name: "dropship_step_duration_seconds", Type: Summary, Labels: []string{"service", "step"},
		Help: "How long the steps of updates and checks took. The step slot is the wait for a turn.",
		Path: "services.{service}.steps.{step}.seconds",
	}
	Hooks = &Metric{
		Name: "dropship_hook_duration_seconds", Type: Summary, Labels: []string{"service", "phase", "index", "hook"},
		Help: "How long hooks ran, by chain, position in it from 0, and kind.",
		Path: "services.{service}.hooks.{phase}.{index}.{hook}.seconds",
	}
	HookFailures = &Metric{
		Name: "dropship_hook_failures_total", Type: Counter, Labels: []string{"service", "phase", "index", "hook"},
		Help: "Hooks that failed, by chain, position in it from 0, and kind.",
		Path: "services.{service}.hooks.{phase}.{index}.{hook}.failures",
	}
	Downloaded = &Metric{
		Name: "dropship_download_bytes_total", Type: Counter, Labels: []string{"service"},
		Help: "Bytes of artifacts that were downloaded.",
		Path: "services.{service}.download_bytes",
	}
	Updating = &Metric{
		Name: "dropship_updating", Type: Gauge, Labels: []string{"service"},
		Help: "1 while an update is under way, its wait for a turn included.",
		Path: "services.{service}.updating",
	}
	SlotWait = &Metric{
		Name: "dropship_slot_wait_seconds", Type: Gauge, Labels: []string{"service"},
		Help: "For how long the service has been waiting for its turn by now. 0: it does not wait.",
		Path: "services.{service}.slot_wait_seconds",
	}
	UpToDate = &Metric{
		Name: "dropship_up_to_date", Type: Gauge, Labels: []string{"service"},
		Help: "1 if the service is at its repository's hash, as far as the last check could tell; 0 while it is updated.",
		Path: "services.{service}.up_to_date",
	}
	ReasonInfo = &Metric{
		Name: "dropship_reason_info", Type: Gauge, Labels: []string{"service", "reason"},
		Help: "1 for the code of what dropship why says.",
		Path: "services.{service}.reason.{reason}",
	}
	InstalledInfo = &Metric{
		Name: "dropship_installed_info", Type: Gauge, Labels: []string{"service", "hash"},
		Help: "1 for the md5 of the artifact that is installed.",
		Path: "services.{service}.installed_hash", Hashed: true,
	}
	InstalledTime = &Metric{
		Name: "dropship_installed_timestamp_seconds", Type: Gauge, Labels: []string{"service"},
		Help: "When it was installed, in seconds since 1970.",
		Path: "services.{service}.installed_timestamp_seconds",
	}
	Quarantined = &Metric{
		Name: "dropship_quarantined", Type: Gauge, Labels: []string{"service"},
		Help: "1 if what the repository holds is in quarantine.",
		Path: "services.{service}.quarantined",
	}
	Failed = &Metric{
		Name: "dropship_failed", Type: Gauge, Labels: []string{"service"},
		Help: "1 if an update failed and could not be undone: a person must look into it.",
		Path: "services.{service}.failed",
	}
	Paused = &Metric{
		Name: "dropship_paused", Type: Gauge, Labels: []string{"service"},
		Help: "1 while a person keeps the service from being updated.",
		Path: "services.{service}.paused",
	}
	LastCheck = &Metric{
		Name: "dropship_last_check_timestamp_seconds", Type: Gauge, Labels: []string{"service"},
		Help: "When the last check or update ended, in seconds since 1970.",
		Path: "services.{service}.last_check_timestamp_seconds",
	}
	LastSuccess = &Metric{
		Name: "dropship_last_success_timestamp_seconds", Type: Gauge, Labels: []string{"service"},
		Help: "When the service was last at its repository's hash, in seconds since 1970.",
		Path: "services.{service}.last_success_timestamp_seconds",
	}
	Reloads = &Metric{
		Name: "dropship_config_reloads_total", Type: Counter, Labels: []string{"result"},
		Help: "Reloads of the configuration, by what came of them.",
		Path: "agent.config_reloads.{result}",
	}
	ReloadOK = &Metric{
		Name: "dropship_config_last_reload_successful", Type: Gauge,
		Help: "1 unless the last reload was rejected, so that an older configuration is in force.",
		Path: "agent.config_last_reload_successful",
	}
	ReloadTime = &Metric{
		Name: "dropship_config_last_reload_success_timestamp_seconds", Type: Gauge,
		Help: "When the configuration in force was loaded, in seconds since 1970.",
		Path: "agent.config_last_reload_success_timestamp_seconds",
	}
	BuildInfo = &Metric{
		Name: "dropship_build_info", Type: Gauge, Labels: []string{"version", "commit", "goversion"},
		Help: "1 for what the agent was built from.",
		Path: "agent.build.{version}",
	}
)

// All are the metrics.
var All = []*Metric{
	Checks, Updates, Steps, Hooks, HookFailures, Downloaded, Updating, SlotWait, UpToDate, ReasonInfo, InstalledInfo,
	InstalledTime, Quarantined, Failed, Paused, LastCheck, LastSuccess, Reloads, ReloadOK, ReloadTime, BuildInfo,
}
