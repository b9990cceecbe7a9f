// App is the application that the demo deploys: a web server that says which version it is. A file BROKEN
// beside it makes it answer 503, as an application does that cannot reach its database.
package main

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

func main() {
	self, err := os.Executable()
	if err != nil {
		log.Fatal(err)
	}
	dir := filepath.Dir(self)
	version, err := os.ReadFile(filepath.Join(dir, "VERSION"))
	if err != nil {
		log.Fatal(err)
	}
	broken, _ := os.ReadFile(filepath.Join(dir, "BROKEN"))

	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if len(broken) > 0 {
			http.Error(w, strings.TrimSpace(string(broken)), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintf(w, "version %s\n", strings.TrimSpace(string(version)))
	})
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	listener, err := listen(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(server.Serve(listener))
}

// listen waits for the version before this one to let go of the port.
func listen(address string) (net.Listener, error) {
	deadline := time.Now().Add(5 * time.Second)
	for {
		l, err := net.Listen("tcp", address) //nolint:noctx // the wait is bounded by its own deadline
		if err == nil || time.Now().After(deadline) {
			return l, err
		}
		time.Sleep(20 * time.Millisecond)
	}
}
