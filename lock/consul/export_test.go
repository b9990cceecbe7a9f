package consul

import (
	"net/http"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/dropship/dropship/lock"
)

// Simulated makes l, a locker of this package, reach Consul through network and go by clock, so that it can be run in
// a bubble of testing/synctest.
func Simulated(l lock.Locker, network http.RoundTripper, clock func() time.Duration) {
	c := l.(*Locker)
	c.clock = clock
	c.dial = func(Connection) (*api.Client, *http.Transport, error) {
		client, err := api.NewClient(&api.Config{Address: "model", HttpClient: &http.Client{Transport: network}})
		return client, &http.Transport{}, err
	}
}
