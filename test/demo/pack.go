package main

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"time"
)

// pack writes a tar.gz with the binary as "app" and the files, and puts it in place in one step, so that
// nobody reads half of it.
func pack(path, binary string, files map[string]string) (err error) {
	out, err := os.Create(path + ".part")
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, out.Close()); err == nil {
			err = os.Rename(out.Name(), path)
		}
	}()
	z := gzip.NewWriter(out)
	w := tar.NewWriter(z)
	defer func() { err = errors.Join(err, w.Close(), z.Close()) }()

	app, err := os.Open(binary)
	if err != nil {
		return err
	}
	defer app.Close()
	info, err := app.Stat()
	if err != nil {
		return err
	}
	if err := w.WriteHeader(&tar.Header{Name: "app", Mode: 0o755, Size: info.Size(), ModTime: info.ModTime()}); err != nil {
		return err
	}
	if _, err := io.Copy(w, app); err != nil {
		return err
	}
	for name, text := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text)), ModTime: time.Now()}); err != nil {
			return err
		}
		if _, err := io.WriteString(w, text); err != nil {
			return err
		}
	}
	return nil
}
