package servers_test

import (
	"fmt"
	"net"
	"testing"

	"github.com/dropship/dropship/test/servers"
)

func TestPrivateCarbonComesBackOnItsPorts(t *testing.T) {
	t.Parallel()
	g := servers.NewGraphite(t)
	g.StopCarbon()
	if conn, err := net.Dial("tcp", g.Carbon); err == nil {
		conn.Close()
		t.Fatal("carbon takes connections after its stop")
	}
	g.StartCarbon()
	conn, err := net.Dial("tcp", g.Carbon)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprintln(conn, "a.b 1 -1"); err != nil {
		t.Fatal(err)
	}
}
