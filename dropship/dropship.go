// Package dropship is the domain: services, their updates, and the agent that keeps them up to date.
//
// It knows interfaces and values only: no HCL, no AWS, no Consul. dropship/config makes its values
// from files; cmd/dropship runs them.
package dropship
