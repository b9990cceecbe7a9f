// The test of this file is in the package itself: nobody else sees the SDK's client.

package s3

import "testing"

func TestSilentConnectionsAreDropped(t *testing.T) {
	t.Parallel()
	h2 := newHTTPClient().GetTransport().HTTP2
	if h2 == nil || h2.SendPingTimeout <= 0 || h2.PingTimeout <= 0 {
		t.Errorf("got the HTTP/2 settings %+v, want pings", h2)
	}
}
