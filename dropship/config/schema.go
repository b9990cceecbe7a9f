package config

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// The blocks as they stand in the files. Attributes with a rule of their own are kept as they are and
// read later by a fields, so that each mistake is reported at its value.

type rootBlock struct {
	ServicePath  *hcl.Attribute `hcl:"service_path,optional"`
	StateDir     *hcl.Attribute `hcl:"stateDir,optional"`
	Socket       *hcl.Attribute `hcl:"socket,optional"`
	MaxDownloads *hcl.Attribute `hcl:"maxDownloads,optional"`
	MaxBandwidth *hcl.Attribute `hcl:"maxBandwidth,optional"`
	Repositories []repoBlock    `hcl:"repo,block"`
	Rackspace    []sharedBlock  `hcl:"rackspace,block"`
	Consul       []sharedBlock  `hcl:"consul,block"`
	Locks        []kindBlock    `hcl:"lock,block"`
	Services     []serviceBlock `hcl:"service,block"`
	Metrics      []kindBlock    `hcl:"metrics,block"`
	Tracing      []kindBlock    `hcl:"tracing,block"`
}

// labels returns those of all blocks.
func (r rootBlock) labels() []string {
	var labels []string
	for _, b := range r.Repositories {
		labels = append(labels, b.Name)
	}
	for _, b := range slices.Concat(r.Locks, r.Metrics, r.Tracing) {
		labels = append(labels, b.Kind)
	}
	for _, b := range r.Services {
		labels = append(labels, b.Name)
		for _, hook := range slices.Concat(b.Before, b.After) {
			labels = append(labels, hook.Kind)
		}
		for _, artifact := range b.Artifacts {
			labels = append(labels, artifact.Repository)
		}
	}
	return labels
}

// A sharedBlock is a block without a label.
type sharedBlock struct {
	Body hcl.Body  `hcl:",body"`
	Rest hcl.Body  `hcl:",remain"`
	Def  hcl.Range `hcl:",def_range"`
}

type repoBlock struct {
	Name  string         `hcl:"name,label"`
	Label hcl.Range      `hcl:"name,label_range"`
	Type  *hcl.Attribute `hcl:"type,optional"`
	Body  hcl.Body       `hcl:",body"`
	Rest  hcl.Body       `hcl:",remain"`
	Def   hcl.Range      `hcl:",def_range"`
}

// A kindBlock is a block whose label says its kind.
type kindBlock struct {
	Kind  string    `hcl:"kind,label"`
	Label hcl.Range `hcl:"kind,label_range"`
	Body  hcl.Body  `hcl:",body"`
	Rest  hcl.Body  `hcl:",remain"`
	Def   hcl.Range `hcl:",def_range"`
}

type serviceBlock struct {
	Name  string    `hcl:"name,label"`
	Label hcl.Range `hcl:"name,label_range"`
	Body  hcl.Body  `hcl:",body"`
	Def   hcl.Range `hcl:",def_range"`

	SequentialUpdates *hcl.Attribute  `hcl:"sequentialUpdates,optional"`
	CheckInterval     *hcl.Attribute  `hcl:"checkInterval,optional"`
	UpdateTTL         *hcl.Attribute  `hcl:"updateTTL,optional"`
	UpdateSlots       *hcl.Attribute  `hcl:"updateSlots,optional"`
	UpdateGroup       *hcl.Attribute  `hcl:"updateGroup,optional"`
	Hash              *hcl.Attribute  `hcl:"hash,optional"`
	PreCommand        *hcl.Attribute  `hcl:"preCommand,optional"`
	PostCommand       *hcl.Attribute  `hcl:"postCommand,optional"`
	Before            []hookBlock     `hcl:"before,block"`
	After             []hookBlock     `hcl:"after,block"`
	Artifacts         []artifactBlock `hcl:"artifact,block"`
}

type hookBlock struct {
	Kind  string    `hcl:"kind,label"`
	Label hcl.Range `hcl:"kind,label_range"`
	Rest  hcl.Body  `hcl:",remain"`

	Timeout *hcl.Attribute `hcl:"timeout,optional"`
	OnError *hcl.Attribute `hcl:"onError,optional"`
	When    *hcl.Attribute `hcl:"when,optional"`
}

type artifactBlock struct {
	Repository string    `hcl:"repo,label"`
	Label      hcl.Range `hcl:"repo,label_range"`
	Rest       hcl.Body  `hcl:",remain"`
	Def        hcl.Range `hcl:",def_range"`

	Destination  *hcl.Attribute `hcl:"destination,optional"` // required, and reported in words of its own
	Type         *hcl.Attribute `hcl:"type,optional"`
	ContentType  *hcl.Attribute `hcl:"content-type,optional"`
	KeepReleases *hcl.Attribute `hcl:"keepReleases,optional"`
	Persist      *hcl.Attribute `hcl:"persist,optional"`
	Owner        *hcl.Attribute `hcl:"owner,optional"`
	Group        *hcl.Attribute `hcl:"group,optional"`
	Setuid       *hcl.Attribute `hcl:"setuid,optional"`
	MaxSize      *hcl.Attribute `hcl:"maxSize,optional"`
	MaxEntries   *hcl.Attribute `hcl:"maxEntries,optional"`
	MaxRatio     *hcl.Attribute `hcl:"maxRatio,optional"`
}
