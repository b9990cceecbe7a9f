package systemd

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"io"
	"net"
	"os"
	"runtime"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sys/unix"
)

// A web is an application that the daemon of a machine keeps up to date from a bucket, with systemctl in its hooks.
type web struct {
	m      *machine
	client *s3.Client
	bucket string
}

const webUnit = `[Service]
ExecStart=/srv/web/run
`

// In the hooks of a web there is room for more.
const webService = `service "web" {
  checkInterval = "200ms"

  before "script" { command = "systemctl stop web; echo \"before $${DROPSHIP_STATUS}\" >>/srv/hooks" }
  MORE
  artifact "s3" {
    bucket      = "BUCKET"
    path        = "web.tar.gz"
    destination = "/srv/web"
  }

  after "script" { command = "systemctl start web && systemctl is-active web && echo \"after $${DROPSHIP_STATUS}\" >>/srv/hooks" }
}
`

const webRepository = `
repo "s3" {
  name      = "REGION"
  endpoint  = "ENDPOINT"
  accessKey = file("${env("CREDENTIALS_DIRECTORY", "/etc/credstore")}/dropship.s3-access-key")
  secret    = file("${env("CREDENTIALS_DIRECTORY", "/etc/credstore")}/dropship.s3-secret")
}
`

// newWeb makes the bucket, and all on the machine but the service: its unit, the repository, the secrets.
func newWeb(m *machine) *web {
	m.t.Helper()
	w := &web{m: m, bucket: "systemd-" + strings.ToLower(rand.Text()[:8])}
	w.client = s3.New(s3.Options{
		BaseEndpoint: &m.s3.Endpoint, Region: m.s3.Region, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(m.s3.AccessKey, m.s3.Secret, ""),
	})
	if _, err := w.client.CreateBucket(m.t.Context(), &s3.CreateBucketInput{Bucket: &w.bucket}); err != nil {
		m.t.Fatal(err)
	}
	m.reach(strings.TrimPrefix(m.s3.Endpoint, "http://"))
	m.write("/etc/systemd/system/web.service", webUnit, 0o644)
	m.write("/etc/credstore/dropship.s3-access-key", m.s3.AccessKey, 0o600)
	m.write("/etc/credstore/dropship.s3-secret", m.s3.Secret+"\n", 0o600)
	m.run("systemctl", "daemon-reload")
	return w
}

// deploy installs the package and waits until version 1 of the web is live; more goes into its service block.
func deploy(m *machine, more string) *web {
	m.t.Helper()
	m.apt("install", m.pkg)
	w := newWeb(m)
	w.publish("1")
	w.configure(more)
	m.run("systemctl", "restart", "dropship")
	w.waitLive("1")
	return w
}

func (w *web) repository() string {
	return strings.NewReplacer("REGION", w.m.s3.Region, "ENDPOINT", w.m.s3.Endpoint).Replace(webRepository)
}

// configure writes the service. A repository stands in its file, so that the package's own file stays as it is.
func (w *web) configure(more string) {
	w.m.t.Helper()
	text := strings.NewReplacer("BUCKET", w.bucket, "MORE", more).Replace(webService)
	w.m.write("/etc/dropship.d/services/web.hcl", w.repository()+text, 0o640)
}

// publish uploads a release whose program runs until it is told to stop.
func (w *web) publish(version string) {
	w.m.t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	archive := tar.NewWriter(z)
	for _, f := range []struct {
		name, text string
		mode       int64
	}{{"run", "#!/bin/sh\nexec sleep infinity\n", 0o755}, {"VERSION", version, 0o644}} {
		if err := archive.WriteHeader(&tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.text))}); err != nil {
			w.m.t.Fatal(err)
		}
		if _, err := io.WriteString(archive, f.text); err != nil {
			w.m.t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		w.m.t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		w.m.t.Fatal(err)
	}
	if _, err := w.client.PutObject(w.m.t.Context(), &s3.PutObjectInput{
		Bucket: &w.bucket, Key: aws.String("web.tar.gz"), Body: bytes.NewReader(b.Bytes()),
	}); err != nil {
		w.m.t.Fatal(err)
	}
}

// waitLive waits until a version is installed, its hooks are through and the application runs.
func (w *web) waitLive(version string) {
	w.m.t.Helper()
	w.m.wait("version "+version+" is live", func() bool {
		return w.m.read("/srv/web/VERSION") == version && strings.HasSuffix(w.m.read("/srv/hooks"), "after update\n") &&
			w.m.output("systemctl", "is-active", "web") == "active"
	})
}

// reach lets what runs in the machine reach an address of the loopback device here under the same address there.
func (m *machine) reach(address string) {
	m.t.Helper()
	l := m.listen(address)
	m.t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			inside, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer inside.Close()
				here, err := net.Dial("tcp", address)
				if err != nil {
					return
				}
				defer here.Close()
				go func() {
					_, _ = io.Copy(here, inside)
					_ = here.(*net.TCPConn).CloseWrite()
				}()
				_, _ = io.Copy(inside, here)
			}()
		}
	}()
}

// listen listens in the network of the machine. A socket stays in the network of the thread that made it.
func (m *machine) listen(address string) net.Listener {
	m.t.Helper()
	type result struct {
		l   net.Listener
		err error
	}
	made := make(chan result)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this function
		fd, err := unix.Open("/proc/"+os.Getenv("LEADER")+"/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			defer func() { _ = unix.Close(fd) }()
			err = unix.Setns(fd, unix.CLONE_NEWNET)
		}
		var l net.Listener
		if err == nil {
			l, err = net.Listen("tcp", address)
		}
		made <- result{l, err}
	}()
	r := <-made
	if r.err != nil {
		m.t.Fatalf("cannot listen at %s in the machine: %v", address, r.err)
	}
	return r.l
}
