package main

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/ncw/swift/v2"

	"github.com/dropship/dropship/test/faultproxy"
	"github.com/dropship/dropship/test/servers"
)

// A store is one of the four kinds of repository. Artifacts are put into it past the proxy, through which the agent
// reaches it.
type store interface {
	block(url string) string  // the repo block; url is that of the proxy
	where(name string) string // the attributes of an artifact of that name
	put(ctx context.Context, name string, data []byte) error
	close(ctx context.Context) error // removes what was put
}

// openStores makes all of them, with names that no other run uses.
func (s *soak) openStores(ctx context.Context) error {
	s3store, err := newS3Store(ctx, s.servers.S3, s.name)
	if err != nil {
		return err
	}
	s.stores["s3"] = s3store
	swiftStore, err := newSwiftStore(ctx, s.servers.Swift, s.name)
	if err != nil {
		return err
	}
	s.stores["swift"] = swiftStore
	s.stores["http"] = s.web
	s.stores["file"] = &fileStore{root: filepath.Join(s.dir, "artifacts")}
	for kind, target := range map[string]string{
		"s3": s.servers.S3.Endpoint, "swift": s.servers.Swift.AuthURL, "http": s.web.url, "consul": "http://" + s.servers.Consul.Address,
	} {
		u, err := url.Parse(target)
		if err != nil {
			return err
		}
		if s.links[kind], err = faultproxy.New(u.Scheme+"://"+u.Host, nil); err != nil {
			return err
		}
	}
	return os.Mkdir(filepath.Join(s.dir, "artifacts"), 0o755)
}

type fileStore struct{ root string }

func (f *fileStore) block(string) string {
	return fmt.Sprintf("repo \"file\" {\n  root = %q\n}\n", f.root)
}

func (f *fileStore) where(name string) string { return fmt.Sprintf("path = %q", name) }

func (f *fileStore) put(_ context.Context, name string, data []byte) error {
	part := filepath.Join(f.root, "."+name+".part")
	if err := os.WriteFile(part, data, 0o644); err != nil {
		return err
	}
	return os.Rename(part, filepath.Join(f.root, name))
}

func (f *fileStore) close(context.Context) error { return nil }

// artifacts is the web server's part of a [web].
type artifacts struct {
	mu   sync.Mutex
	data map[string]served // by name
}

type served struct {
	content []byte
	sum     [md5.Size]byte
}

func (w *web) block(url string) string {
	return fmt.Sprintf("repo \"http\" {\n  url = %q\n}\n", url+"/artifacts")
}

func (w *web) where(name string) string { return fmt.Sprintf("path = %q", name) }

func (w *web) put(_ context.Context, name string, data []byte) error {
	w.artifacts.mu.Lock()
	defer w.artifacts.mu.Unlock()
	w.artifacts.data[name] = served{data, md5.Sum(data)}
	return nil
}

// ServeHTTP implements http.Handler: as a server that CI jobs upload to, with an ETag and a digest.
func (a *artifacts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	a.mu.Lock()
	one, ok := a.data[name]
	a.mu.Unlock()
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("ETag", `"`+hex.EncodeToString(one.sum[:])+`"`)
	w.Header().Set("Content-MD5", base64.StdEncoding.EncodeToString(one.sum[:]))
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(one.content))
}

type s3Store struct {
	server servers.S3
	client *s3.Client
	bucket string
	keys   sync.Map
}

func newS3Store(ctx context.Context, server servers.S3, bucket string) (*s3Store, error) {
	s := &s3Store{server: server, bucket: bucket, client: s3.New(s3.Options{
		BaseEndpoint: &server.Endpoint, Region: server.Region, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(server.AccessKey, server.Secret, ""),
	})}
	if _, err := s.client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
		return nil, fmt.Errorf("cannot create the bucket %s: %w", bucket, err)
	}
	return s, nil
}

func (s *s3Store) block(url string) string {
	return fmt.Sprintf("repo \"s3\" {\n  endpoint  = %q\n  accessKey = %q\n  secret    = %q\n  name      = %q\n}\n",
		url, s.server.AccessKey, s.server.Secret, s.server.Region)
}

func (s *s3Store) where(name string) string {
	return fmt.Sprintf("bucket = %q\n    path = %q", s.bucket, name)
}

func (s *s3Store) put(ctx context.Context, name string, data []byte) error {
	s.keys.Store(name, true)
	_, err := s.client.PutObject(ctx, &s3.PutObjectInput{Bucket: &s.bucket, Key: &name, Body: bytes.NewReader(data)})
	return err
}

func (s *s3Store) close(ctx context.Context) (err error) {
	s.keys.Range(func(name, _ any) bool {
		key := name.(string)
		_, derr := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: &key})
		err = errors.Join(err, derr)
		return true
	})
	_, derr := s.client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &s.bucket})
	return errors.Join(err, derr)
}

type swiftStore struct {
	server    servers.Swift
	conn      *swift.Connection
	container string
	names     sync.Map
}

func newSwiftStore(ctx context.Context, server servers.Swift, container string) (*swiftStore, error) {
	s := &swiftStore{server: server, container: container}
	s.conn = &swift.Connection{AuthUrl: server.AuthURL, UserName: server.User, ApiKey: server.Key, Retries: 5}
	if err := s.conn.ContainerCreate(ctx, container, nil); err != nil {
		return nil, fmt.Errorf("cannot create the container %s: %w", container, err)
	}
	return s, nil
}

func (s *swiftStore) block(proxy string) string {
	u, _ := url.Parse(s.server.AuthURL) // openStores has parsed it
	return fmt.Sprintf("repo \"swift\" {\n  authUrl = %q\n  user    = %q\n  key     = %q\n}\n", proxy+u.Path, s.server.User, s.server.Key)
}

func (s *swiftStore) where(name string) string {
	return fmt.Sprintf("bucket = %q\n    path = %q", s.container, name)
}

func (s *swiftStore) put(ctx context.Context, name string, data []byte) error {
	s.names.Store(name, true)
	return s.conn.ObjectPutBytes(ctx, s.container, name, data, "application/octet-stream")
}

func (s *swiftStore) close(ctx context.Context) (err error) {
	s.names.Range(func(name, _ any) bool {
		err = errors.Join(err, s.conn.ObjectDelete(ctx, s.container, name.(string)))
		return true
	})
	return errors.Join(err, s.conn.ContainerDelete(ctx, s.container))
}
