package servers_test

import (
	"testing"

	"github.com/hashicorp/consul/api"

	"github.com/dropship/dropship/test/servers"
)

func TestPrivateConsulKeepsItsState(t *testing.T) {
	t.Parallel()
	consul := servers.NewConsul(t)
	client := consulClient(t, consul.Address, "")
	id, _, err := client.Session().Create(&api.SessionEntry{TTL: "1h"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if ok, _, err := client.KV().Acquire(&api.KVPair{Key: "key", Value: []byte("value"), Session: id}, nil); !ok {
		t.Fatalf("acquire: got %v, %v, want true", ok, err)
	}
	for name, end := range map[string]func(){"stop": consul.Stop, "kill": consul.Kill} {
		end()
		if _, _, err := client.KV().Get("key", nil); err == nil {
			t.Fatalf("after %s: the server still answers", name)
		}
		consul.Start()
		got, _, err := client.KV().Get("key", nil)
		if err != nil || got == nil || string(got.Value) != "value" || got.Session != id {
			t.Fatalf("after %s and start: got %+v, %v, want the value and session %s", name, got, err, id)
		}
	}
}

func TestPrivateConsulsDoNotMeet(t *testing.T) {
	t.Parallel()
	first, second := servers.NewConsul(t), servers.NewConsul(t)
	if _, err := consulClient(t, first.Address, "").KV().Put(&api.KVPair{Key: "key"}, nil); err != nil {
		t.Fatal(err)
	}
	got, _, err := consulClient(t, second.Address, "").KV().Get("key", nil)
	if err != nil || got != nil {
		t.Errorf("the second server has the first one's key: got %v, %v", got, err)
	}
}
