package main

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"dropship": main})
}

// The scripts in testdata show each command as its users type it. Beside testscript's own commands they have
//
//	publish FILE VERSION   writes a tar.gz that holds the file VERSION
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"publish": func(ts *testscript.TestScript, _ bool, args []string) {
				path := ts.MkAbs(args[0])
				ts.Check(os.MkdirAll(filepath.Dir(path), 0o755))
				ts.Check(pack(path, args[1]))
			},
		},
	})
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
