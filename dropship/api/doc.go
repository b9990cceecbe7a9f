// Package api is the control socket of an agent: HTTP with JSON over a unix socket, for whoever is root on the machine
// or the user that the agent runs as. Server answers it, Listen makes the socket, Client asks. docs/api.md says what
// goes over it.
//
// The agent works the same whoever asks, or stops reading in the middle: answers are made from what is in memory and on
// disk, requests are bounded in number, size and time, and events are handed on without waiting.
package api
