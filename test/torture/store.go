package main

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/ncw/swift/v2"

	"github.com/dropship/dropship/test/servers"
)

// A store is a machine's repository.
type store interface {
	block() string            // the repo block
	where(name string) string // the attributes that say where an artifact of that name is; the name stays
	put(ctx context.Context, data []byte) error
	close() error
}

func newStore(ctx context.Context, m *Machine) (store, error) {
	name := "torture-" + unique(m.Dir)
	set := m.round.Servers
	switch m.Variant.Repo {
	case "file":
		return &fileStore{root: m.path("artifacts")}, nil
	case "http":
		return newHTTPStore(ctx)
	case "s3":
		s := &s3Store{server: set.S3, bucket: name}
		s.client = s3.New(s3.Options{
			BaseEndpoint: &s.server.Endpoint, Region: s.server.Region, UsePathStyle: true,
			Credentials: credentials.NewStaticCredentialsProvider(s.server.AccessKey, s.server.Secret, ""),
		})
		_, err := s.client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &s.bucket})
		return s, err
	case "swift":
		s := &swiftStore{server: set.Swift, container: name}
		s.conn = &swift.Connection{AuthUrl: s.server.AuthURL, UserName: s.server.User, ApiKey: s.server.Key, Retries: 5}
		return s, s.conn.ContainerCreate(ctx, name, nil)
	default:
		return nil, fmt.Errorf("there is no repository of kind %q", m.Variant.Repo)
	}
}

var started = time.Now().UnixNano()

// unique makes a name for what belongs to a directory of this run.
func unique(dir string) string {
	h := fnv.New64a()
	fmt.Fprint(h, dir, started)
	return fmt.Sprintf("%x", h.Sum64())
}

type fileStore struct{ root, name string }

func (s *fileStore) block() string { return fmt.Sprintf("repo \"file\" {\n  root = %q\n}", s.root) }

func (s *fileStore) where(name string) string {
	s.name = name
	return fmt.Sprintf("path        = %q", name)
}

func (s *fileStore) put(_ context.Context, data []byte) error {
	part := filepath.Join(s.root, ".part")
	if err := os.WriteFile(part, data, 0o644); err != nil {
		return err
	}
	return os.Rename(part, filepath.Join(s.root, s.name))
}

func (s *fileStore) close() error { return nil }

// An httpStore is a web server of its own, as one that CI jobs upload to: with an ETag and a digest.
type httpStore struct {
	server *http.Server
	url    string
	ended  chan struct{}

	mu   sync.Mutex
	name string
	data []byte
}

func newHTTPStore(ctx context.Context) (*httpStore, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &httpStore{url: "http://" + l.Addr().String(), ended: make(chan struct{})}
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	go func() {
		defer close(s.ended)
		_ = s.server.Serve(l) // ends with close
	}()
	return s, nil
}

// ServeHTTP implements http.Handler.
func (s *httpStore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	name, data := s.name, s.data
	s.mu.Unlock()
	if r.URL.Path != "/"+name {
		http.NotFound(w, r)
		return
	}
	sum := md5.Sum(data)
	w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:])+`"`)
	w.Header().Set("Content-MD5", base64.StdEncoding.EncodeToString(sum[:]))
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(data))
}

func (s *httpStore) block() string { return fmt.Sprintf("repo \"http\" {\n  url = %q\n}", s.url) }

func (s *httpStore) where(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.name = name
	return fmt.Sprintf("path        = %q", name)
}

func (s *httpStore) put(_ context.Context, data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data = data
	return nil
}

func (s *httpStore) close() error {
	err := s.server.Close()
	<-s.ended
	return err
}

type s3Store struct {
	server servers.S3
	client *s3.Client
	bucket string
	key    string
}

func (s *s3Store) block() string {
	return fmt.Sprintf("repo \"s3\" {\n  endpoint  = %q\n  accessKey = %q\n  secret    = %q\n  name      = %q\n}",
		s.server.Endpoint, s.server.AccessKey, s.server.Secret, s.server.Region)
}

func (s *s3Store) where(name string) string {
	s.key = name
	return fmt.Sprintf("bucket      = %q\n    path        = %q", s.bucket, name)
}

func (s *s3Store) put(ctx context.Context, data []byte) error {
	_, err := s.client.PutObject(ctx, &s3.PutObjectInput{Bucket: &s.bucket, Key: &s.key, Body: bytes.NewReader(data)})
	return err
}

func (s *s3Store) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: aws.String(s.key)}); err != nil {
		return fmt.Errorf("cannot remove the object of a round: %w", err)
	}
	if _, err := s.client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &s.bucket}); err != nil {
		return fmt.Errorf("cannot remove the bucket of a round: %w", err)
	}
	return nil
}

type swiftStore struct {
	server    servers.Swift
	conn      *swift.Connection
	container string
	name      string
}

func (s *swiftStore) block() string {
	return fmt.Sprintf("repo \"swift\" {\n  authUrl = %q\n  user    = %q\n  key     = %q\n}", s.server.AuthURL, s.server.User, s.server.Key)
}

func (s *swiftStore) where(name string) string {
	s.name = name
	return fmt.Sprintf("bucket      = %q\n    path        = %q", s.container, name)
}

func (s *swiftStore) put(ctx context.Context, data []byte) error {
	return s.conn.ObjectPutBytes(ctx, s.container, s.name, data, "application/octet-stream")
}

func (s *swiftStore) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.conn.ObjectDelete(ctx, s.container, s.name); err != nil {
		return fmt.Errorf("cannot remove the object of a round: %w", err)
	}
	if err := s.conn.ContainerDelete(ctx, s.container); err != nil {
		return fmt.Errorf("cannot remove the container of a round: %w", err)
	}
	return nil
}
