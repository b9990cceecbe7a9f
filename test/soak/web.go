package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
)

// A web is a web server on loopback: a repository, the applications' health, and a receiver of webhooks.
type web struct {
	url       string
	webhooks  atomic.Int64 // that came
	artifacts *artifacts
	srv       string // where the applications are installed
	server    *http.Server
	ended     chan struct{}
}

func newWeb(ctx context.Context, srv string) (*web, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w := &web{url: "http://" + l.Addr().String(), srv: srv, artifacts: &artifacts{data: make(map[string]served)}, ended: make(chan struct{})}
	mux := http.NewServeMux()
	mux.Handle("GET /artifacts/{name}", w.artifacts)
	mux.HandleFunc("GET /health/{name}", w.health)
	mux.HandleFunc("POST /webhook", func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.webhooks.Add(1)
	})
	w.server = &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() {
		defer close(w.ended)
		_ = w.server.Serve(l) // ends with close
	}()
	return w, nil
}

// health is that of an application, which is ill if it is a broken release.
func (w *web) health(rw http.ResponseWriter, r *http.Request) {
	line, err := firstLine(filepath.Join(w.srv, r.PathValue("name")))
	if err != nil || strings.Contains(line, "broken") {
		http.Error(rw, fmt.Sprint(line, err), http.StatusServiceUnavailable)
	}
}

func (w *web) close(context.Context) error {
	err := w.server.Close()
	<-w.ended
	return err
}

// firstLine is what an application says of itself: the first line of the file, or of VERSION in the directory.
func firstLine(path string) (string, error) {
	data, err := os.ReadFile(filepath.Join(path, versionFile))
	if err != nil {
		data, err = os.ReadFile(path)
	}
	line, _, _ := strings.Cut(string(data), "\n")
	return line, err
}
