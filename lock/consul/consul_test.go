package consul_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/consul/api"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/dropship/dropship/lock"
	"github.com/dropship/dropship/lock/consul"
	"github.com/dropship/dropship/lock/locktest"
	"github.com/dropship/dropship/test/servers"
)

// newLocker makes a locker from a lock "consul" block, as the configuration does.
func newLocker(t testing.TB, address, block string) lock.Locker {
	t.Helper()
	l, diags := consul.New(consul.Connection{Address: address}, parse(t, block), nil)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return l
}

func parse(t testing.TB, block string) hcl.Body {
	t.Helper()
	file, diags := hclsyntax.ParseConfig([]byte(block), "lock.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return file.Body
}

// newClient is the operator with the consul command.
func newClient(t testing.TB, address string) *api.Client {
	t.Helper()
	client, err := api.NewClient(&api.Config{Address: address})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// newPrefix returns a folder of keys that no other test uses, removed after the test.
func newPrefix(t testing.TB, client *api.Client) string {
	t.Helper()
	prefix := "test/" + strings.NewReplacer("/", "-", "#", "-").Replace(t.Name()) + "-" + strings.ToLower(random())
	t.Cleanup(func() {
		pairs, _, err := client.KV().List(prefix+"/", nil)
		if err != nil {
			return // this Consul was ended by the test
		}
		for _, p := range pairs {
			if p.Session != "" {
				t.Errorf("left behind: %s with %s", p.Key, p.Value)
			}
		}
		_, _ = client.KV().DeleteTree(prefix+"/", nil)
	})
	return prefix
}

// contenders returns the keys of a group, and those of its slots.
func contenders(t testing.TB, client *api.Client, folder string) api.KVPairs {
	t.Helper()
	pairs, _, err := client.KV().List(folder, &api.QueryOptions{RequireConsistent: true})
	if err != nil {
		t.Fatal(err)
	}
	return pairs
}

func TestConformance(t *testing.T) {
	t.Parallel()
	address := servers.Get(t).Consul.Address
	client := newClient(t, address)
	prefix := newPrefix(t, client)
	block := fmt.Sprintf("prefix = %q\nttl = \"30s\"", prefix)
	suite := locktest.Suite{
		New: func(t *testing.T) lock.Locker { return newLocker(t, address, block) },
		Unreachable: func(t *testing.T) lock.Locker {
			return newLocker(t, servers.Reserve(t), block)
		},
		Steal: func(t *testing.T, group string) {
			if _, err := client.KV().DeleteTree(prefix+"/"+group+"/", nil); err != nil {
				t.Fatal(err)
			}
		},
		Ordered: true,
	}
	locktest.Run(t, suite)
	locktest.RunLine(t, suite)
}
