package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/dropship/dropship/dropship"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"dropship": main, "flood": flood})
}

// The scripts in testdata show each command as its users type it. Beside testscript's own commands they have
//
//	publish FILE VERSION   writes a tar.gz that holds the file VERSION
//	decode FILE WHAT N     reads JSON of the documented shape: an array of N of these, with nothing else in them
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		// A process with the race detector waits for a second before it ends, and here are many.
		Setup: func(env *testscript.Env) error {
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"publish": func(ts *testscript.TestScript, _ bool, args []string) {
				path := ts.MkAbs(args[0])
				ts.Check(os.MkdirAll(filepath.Dir(path), 0o755))
				ts.Check(pack(path, args[1]))
			},
			"decode": func(ts *testscript.TestScript, _ bool, args []string) {
				n, err := shapes[args[1]]([]byte(ts.ReadFile(args[0])))
				ts.Check(err)
				if got, want := strconv.Itoa(n), args[2]; got != want {
					ts.Fatalf("got %s %s, want %s", got, args[1], want)
				}
			},
		},
	})
}

// shapes read what --json writes.
var shapes = map[string]func([]byte) (int, error){
	"plans":     decode[dropship.Plan],
	"statuses":  decode[dropship.Status],
	"reasons":   decode[dropship.Reason],
	"records":   decode[dropship.Record],
	"events":    decode[dropship.Event],
	"rollbacks": decode[rolledBack],
	"retries":   decode[retried],
	"pausings":  decode[pausing],
	"resumings": decode[resuming],
}

func decode[T any](text []byte) (int, error) {
	var all []T
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	err := d.Decode(&all)
	return len(all), err
}

func pack(path, version string) error {
	f, err := os.Create(path + ".part")
	if err != nil {
		return err
	}
	z := gzip.NewWriter(f)
	w := tar.NewWriter(z)
	err = w.WriteHeader(&tar.Header{Name: "VERSION", Mode: 0o644, Size: int64(len(version) + 1)})
	if err == nil {
		_, err = w.Write([]byte(version + "\n"))
	}
	if err := errors.Join(err, w.Close(), z.Close(), f.Close()); err != nil {
		return err
	}
	return os.Rename(path+".part", path)
}
