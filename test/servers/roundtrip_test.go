package servers_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/hashicorp/consul/api"
	"github.com/ncw/swift/v2"

	"github.com/dropship/dropship/test/servers"
)

// unique makes a name that no other test run uses, valid as a bucket, a container, a key and a metric.
func unique(prefix string) string { return fmt.Sprintf("%s-%d", prefix, time.Now().UnixNano()) }

func consulClient(t *testing.T, address, token string) *api.Client {
	t.Helper()
	client, err := api.NewClient(&api.Config{Address: address, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestConsul(t *testing.T) {
	t.Parallel()
	set := servers.Get(t)
	for _, test := range []struct {
		name           string
		address, token string
		want           int // status of a refusal; 0: accepted
	}{
		{"ACLs off", set.Consul.Address, "", 0},
		{"management token", set.ConsulACL.Address, set.ConsulACL.Token, 0},
		{"no token", set.ConsulACL.Address, "", http.StatusForbidden},
		{"unknown token", set.ConsulACL.Address, "22222222-2222-2222-2222-222222222222", http.StatusForbidden},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			kv := consulClient(t, test.address, test.token).KV()
			key, value := unique("servers/key"), []byte("value")
			_, err := kv.Put(&api.KVPair{Key: key, Value: value}, (*api.WriteOptions)(nil).WithContext(t.Context()))
			if test.want != 0 {
				var refusal api.StatusError
				if !errors.As(err, &refusal) || refusal.Code != test.want {
					t.Fatalf("put: got %v, want status %d", err, test.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got, _, err := kv.Get(key, (*api.QueryOptions)(nil).WithContext(t.Context()))
			if err != nil || got == nil || !bytes.Equal(got.Value, value) {
				t.Errorf("get: got %v, %v, want value %q", got, err, value)
			}
			if _, err := kv.Delete(key, nil); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestConsulSessionsMayBeShort(t *testing.T) {
	t.Parallel()
	session := consulClient(t, servers.Get(t).Consul.Address, "").Session()
	id, _, err := session.Create(&api.SessionEntry{TTL: "1s", LockDelay: time.Millisecond}, nil)
	if err != nil {
		t.Fatalf("a session with a TTL of 1s: %v", err)
	}
	if _, err := session.Destroy(id, nil); err != nil {
		t.Error(err)
	}
}

func TestS3(t *testing.T) {
	t.Parallel()
	set := servers.Get(t)
	for name, server := range map[string]servers.S3{"versitygw": set.S3, "swift": set.SwiftS3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := func(secret string) *s3.Client {
				return s3.New(s3.Options{
					BaseEndpoint: &server.Endpoint,
					Region:       server.Region,
					UsePathStyle: true,
					Credentials:  credentials.NewStaticCredentialsProvider(server.AccessKey, secret, ""),
				})
			}
			bucket, key, content := aws.String(unique("servers")), aws.String("a/key"), "content"
			good := client(server.Secret)
			if _, err := good.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: bucket}); err != nil {
				t.Fatal(err)
			}
			put := &s3.PutObjectInput{Bucket: bucket, Key: key, Body: strings.NewReader(content)}
			if _, err := good.PutObject(t.Context(), put); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				ctx := context.WithoutCancel(t.Context())
				if _, err := good.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: key}); err != nil {
					t.Error(err)
				}
				if _, err := good.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: bucket}); err != nil {
					t.Error(err)
				}
			})
			get := &s3.GetObjectInput{Bucket: bucket, Key: key}
			object, err := good.GetObject(t.Context(), get)
			if err != nil {
				t.Fatal(err)
			}
			defer object.Body.Close()
			if got, err := io.ReadAll(object.Body); err != nil || string(got) != content {
				t.Errorf("got %q, %v, want %q", got, err, content)
			}
			_, err = client("not the secret").GetObject(t.Context(), get)
			var refusal smithy.APIError
			if !errors.As(err, &refusal) || refusal.ErrorCode() != "SignatureDoesNotMatch" {
				t.Errorf("get with a wrong secret: got %v, want SignatureDoesNotMatch", err)
			}
		})
	}
}

func TestSwift(t *testing.T) {
	t.Parallel()
	server := servers.Get(t).Swift
	conn := &swift.Connection{AuthUrl: server.AuthURL, UserName: server.User, ApiKey: server.Key}
	container, content := unique("servers"), "content"
	if err := conn.ContainerCreate(t.Context(), container, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		if err := conn.ObjectDelete(ctx, container, "name"); err != nil {
			t.Error(err)
		}
		if err := conn.ContainerDelete(ctx, container); err != nil {
			t.Error(err)
		}
	})
	if err := conn.ObjectPutString(t.Context(), container, "name", content, "text/plain"); err != nil {
		t.Fatal(err)
	}
	if got, err := conn.ObjectGetString(t.Context(), container, "name"); err != nil || got != content {
		t.Errorf("got %q, %v, want %q", got, err, content)
	}

	wrong := &swift.Connection{AuthUrl: server.AuthURL, UserName: server.User, ApiKey: "not the key"}
	if err := wrong.Authenticate(t.Context()); !errors.Is(err, swift.AuthorizationFailed) {
		t.Errorf("authentication with a wrong key: got %v, want %v", err, swift.AuthorizationFailed)
	}
}

func TestGraphiteEvents(t *testing.T) {
	t.Parallel()
	server := servers.Get(t).Graphite
	tag := unique("servers")
	event, err := json.Marshal(map[string]string{"what": "a round trip", "tags": tag})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(server.URL+"/events/", "application/json", bytes.NewReader(event))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got, want := resp.StatusCode, http.StatusOK; got != want {
		t.Fatalf("post an event: got status %d, want %d", got, want)
	}
	var events []struct{ What string }
	getJSON(t, server.URL+"/events/get_data?tags="+tag, &events)
	if len(events) != 1 || events[0].What != "a round trip" {
		t.Errorf("events with tag %s: got %v, want one", tag, events)
	}
}

func TestCarbonMetrics(t *testing.T) {
	t.Parallel()
	server := servers.Get(t).Graphite
	conn, err := net.Dial("tcp", server.Carbon)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	metric := "test." + unique("servers")
	if _, err := fmt.Fprintf(conn, "%s 42 %d\n", metric, time.Now().Unix()); err != nil {
		t.Fatal(err)
	}
	query := server.URL + "/render?" + url.Values{
		"target": {metric}, "format": {"json"}, "from": {"-1min"}, "noNullPoints": {"true"},
	}.Encode()
	eventually(t, func() error {
		var series []struct{ Datapoints [][2]float64 }
		getJSON(t, query, &series)
		if len(series) != 1 || len(series[0].Datapoints) != 1 || series[0].Datapoints[0][0] != 42 {
			return fmt.Errorf("series of %s: got %v, want 42 once", metric, series)
		}
		return nil
	})
}

// eventually fails the test with check's last error unless it returns nil in time.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	deadline, tick := time.After(30*time.Second), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal(err)
		}
	}
}

func getJSON(t *testing.T, url string, v any) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s", url, resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(v); err != nil {
		t.Fatal(err)
	}
}
