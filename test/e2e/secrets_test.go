package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/hashicorp/consul/api"

	"github.com/dropship/dropship/test/servers"
)

// mark is part of every credential that is planted here, so that half of one shows, too.
const mark = "pL4nt3d"

// signingKey is mark and more, in base64.
const signingKey = "whsec_cEw0bnQzZFNpZ25pbmdLZXlPZlRoaXJ0eVR3b0I="

// A secretsTest is a configuration with a credential in every place that takes one, and the servers that it is for.
type secretsTest struct {
	*daemon

	bucket                                                               *bucket
	swift, web, aws, consul, check, graphite, grafana, webhook, stranger *front
	store                                                                string // of Consul
	content                                                              atomic.Pointer[[]byte]
	// users are the credentials, by value, with who is to see them: fronts, or the environment of the hook.
	users   map[string]any
	config  string
	outputs int
}

type hookEnvironment struct{}

func newSecretsTest(t *testing.T) *secretsTest {
	t.Helper()
	s := &secretsTest{daemon: newDaemon(t, nil), bucket: newBucket(t), users: map[string]any{}, store: servers.NewConsul(t).Address}
	content := func() []byte { return *s.content.Load() }
	s.publish("1")
	nothing := http.NotFoundHandler()
	s.stranger = newFront(t, "", nothing)
	// Another name, or credentials would be sent there by right.
	elsewhere := strings.Replace(s.stranger.URL, "127.0.0.1", "localhost", 1)
	plant := func(name string, user any) string {
		value := mark + name
		s.users[value] = user
		return value
	}
	s.aws = newFront(t, elsewhere, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	s.consul = newFront(t, elsewhere, before(t, "http://"+s.store))
	s.graphite = newFront(t, elsewhere, before(t, servers.Get(t).Graphite.URL))
	s.check = newFront(t, elsewhere, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.webhook = newFront(t, elsewhere, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.grafana = newFront(t, elsewhere, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"id":1}`) }))
	s.swift, s.web = newFront(t, elsewhere, nothing), newFront(t, elsewhere, nothing)
	s.swift.next = swiftStore(plant("SwiftKey", s.swift), plant("SwiftToken", s.swift), content)
	s.web.next = webStore(plant("WebPassword", s.web), plant("WebHeader", s.web), content)
	s3 := newFront(t, elsewhere, before(t, s.bucket.server.Endpoint))

	// What env() and file() give, and what the process has for the AWS and the Consul client.
	s.env = []string{
		"S3_SECRET=" + s.bucket.server.Secret,
		"AWS_ACCESS_KEY_ID=AKIDENVIRONMENT", "AWS_SECRET_ACCESS_KEY=" + mark + "AwsSecretOfTheEnvironment",
		"AWS_SESSION_TOKEN=" + plant("AwsTokenOfTheEnvironment", s.aws), "AWS_REGION=us-east-1",
		"UNUSED_PASSWORD=" + mark + "OfNobody", "ROUTING_KEY=" + plant("RoutingKey", s.webhook),
	}
	s.write("password", plant("PasswordInAFile", hookEnvironment{})+"\n")
	s.config = fmt.Sprintf(`stateDir = "state"
socket = "dropship.sock"
repo "s3" {
  accessKey = %q
  secret    = env("S3_SECRET")
  endpoint  = %q
}
repo "token" {
  type      = "s3"
  accessKey = "AKIDTEMPORARY"
  secret    = %q
  token     = %q
  endpoint  = %q
}
repo "environment" {
  type     = "s3"
  endpoint = %q
}
repo "swift" {
  user    = "account:user"
  key     = %q
  authUrl = "%s/auth/v1.0"
}
repo "http" {
  url      = %q
  user     = "web"
  password = %q
  headers  = { "X-Api-Key" = %q }
}
consul {
  address  = %q
  token    = %q
  user     = "consul"
  password = %q
}
`, s.bucket.server.AccessKey, s3.URL, mark+"S3Secret", plant("S3Token", s.aws), s.aws.URL, s.aws.URL,
		mark+"SwiftKey", s.swift.URL, s.web.URL, mark+"WebPassword", mark+"WebHeader",
		strings.TrimPrefix(s.consul.URL, "http://"), plant("ConsulToken", s.consul), plant("ConsulPassword", s.consul))
	// No update but the one that takes a turn has hooks.
	s.config += fmt.Sprintf(`service "turn" {
  sequentialUpdates = true
  checkInterval     = "1h"
  before "script" {
    command = "env >%[1]s/environment; tr '\\0' ' ' </proc/$PPID/cmdline >>%[1]s/cmdline"
    env     = { DB_PASSWORD = file("password") }
  }
  artifact "s3" {
    bucket      = %[2]q
    path        = "web.tar.gz"
    destination = "turn"
  }
  after "http-check" {
    url      = %[3]q
    headers  = { Authorization2 = %[4]q }
    interval = "50ms"
    deadline = "1s"
  }
  after "graphite-event" {
    host     = %[5]q
    what     = "{{.Name}} {{.Status}} {{.Error}}"
    data     = "{{.Artifact}}"
    user     = "graphite"
    password = %[6]q
  }
  after "consul-event" { name = "deployed" }
  after "webhook" {
    when    = "always"
    timeout = "1s"
    url     = "%[7]s/services/%[8]s?sig=%[9]s"
    headers = { X-Webhook-Key = %[10]q }
    secret  = %[11]q
    body    = "{\"routing_key\": \"${env("ROUTING_KEY")}\", \"error\": {{json .Error}}}"
  }
  after "grafana-annotation" {
    when    = "always"
    timeout = "1s"
    url     = %[12]q
    token   = %[13]q
  }
}
`, s.dir, s.bucket.name, strings.Replace(s.check.URL, "http://", "http://probe:"+plant("CheckPassword", s.check)+"@", 1)+"/health?token="+plant("CheckQuery", s.check),
		plant("CheckHeader", s.check), s.graphite.URL, plant("GraphitePassword", s.graphite),
		s.webhook.URL, plant("WebhookPath", s.webhook), plant("WebhookQuery", s.webhook), plant("WebhookHeader", s.webhook), signingKey, s.grafana.URL, plant("GrafanaToken", s.grafana))
	s.users[signingKey], s.users[strings.TrimPrefix(signingKey, "whsec_")] = nil, nil // never travels
	for _, repo := range []string{"token", "environment", "swift"} {
		s.config += fmt.Sprintf("service %[1]q {\n  checkInterval = \"1h\"\n  artifact %[1]q {\n    bucket = \"b\"\n    path = \"web.tar.gz\"\n    destination = %[1]q\n  }\n}\n", repo)
	}
	s.config += "service \"http\" {\n  checkInterval = \"1h\"\n  artifact \"http\" {\n    path = \"web.tar.gz\"\n    destination = \"http\"\n  }\n}\n"
	s.users[s.bucket.server.Secret] = nil // never travels; what is downloaded with it shows that it is used
	s.write("dropship.hcl", s.config)
	return s
}

// publish makes a new version the one that all repositories have.
func (s *secretsTest) publish(v string) {
	data := version(s.t, v)
	s.content.Store(&data)
	s.bucket.put("web.tar.gz", data)
}

// wrong runs a command that fails, logging as much and in as many ways as there are, and looks into what it says.
func (s *secretsTest) wrong(what string, args ...string) {
	s.t.Helper()
	s.outputs++
	format := []string{"text", "json"}[s.outputs%2]
	stdout, stderr, code := s.run(append(args, "--log-level", "debug", "--log-format", format)...)
	if code == 0 && args[0] == "apply" {
		s.t.Errorf("%s: %v succeeded", what, args)
	}
	if stdout+stderr == "" {
		s.t.Errorf("%s: %v said nothing", what, args)
	}
	s.clean(fmt.Sprintf("%s: what %v prints", what, args), stdout+stderr)
}

// clean fails the test if there is a credential in text, but for those that are allowed there.
func (s *secretsTest) clean(where, text string, allowed ...string) {
	s.t.Helper()
	for _, value := range allowed {
		text = strings.ReplaceAll(text, value, "")
	}
	forms := []string{mark}
	for value := range s.users {
		if !slices.Contains(allowed, value) {
			forms = append(forms, value)
			for _, user := range []string{"", "web:", "consul:", "graphite:", "probe:", "account:user:"} {
				forms = append(forms, base64.StdEncoding.EncodeToString([]byte(user+value)))
			}
		}
	}
	for _, form := range forms {
		if i := strings.Index(strings.ToLower(text), strings.ToLower(form)); i >= 0 {
			s.t.Errorf("%s has a credential in it: …%s…", where, text[max(0, i-200):min(len(text), i+100)])
			return
		}
	}
}

// allowed returns the credentials that somebody is to see.
func (s *secretsTest) allowed(user any) (values []string) {
	for value, u := range s.users {
		if u == user {
			values = append(values, value)
		}
	}
	return values
}

// Credentials are everywhere that a configuration takes one, and one thing after another goes wrong. They are seen by
// whom they are for, and by nobody else.
func TestNoOutputHasACredential(t *testing.T) {
	t.Parallel()
	s := newSecretsTest(t)
	s.wrong("all is well", "validate")
	s.wrong("all is well", "plan")
	s.wrong("all is well", "apply") // the two repositories without a bucket fail
	for _, name := range []string{"turn", "swift", "http"} {
		if got := strings.TrimSpace(s.read(name + "/VERSION")); got != "1" {
			t.Fatalf("%s: got version %q, so credentials are not used; want 1", name, got)
		}
	}

	n := 1
	for _, m := range []mode{refuses, breaks, echoes, cuts, redirects} {
		for what, fronts := range map[string][]*front{"repositories": {s.swift, s.web, s.aws}, "Consul": {s.consul}, "hooks": {s.check, s.graphite}, "announcements": {s.graphite, s.webhook, s.grafana}} {
			n++
			s.publish(fmt.Sprint(n))
			for _, f := range fronts {
				f.set(m)
			}
			s.wrong(fmt.Sprintf("%s: %s", what, m), "plan")
			s.wrong(fmt.Sprintf("%s: %s", what, m), "apply", "--wait", "1s")
			for _, f := range fronts {
				f.set(passes)
			}
		}
	}
	n++
	s.publish(fmt.Sprint(n))
	s.breakAddresses()
	s.breakFiles()
	s.wrong("all is well again", "apply")
	s.runAgent(n + 1)
	s.checkWhoSaw()
	s.checkWhatIsLeft()
}

// breakAddresses makes every server one that is not there, and one that does not speak TLS.
func (s *secretsTest) breakAddresses() {
	free := "http://" + servers.Reserve(s.t)
	for what, address := range map[string]func(f *front) string{
		"no server": func(*front) string { return free },
		"no TLS":    func(f *front) string { return strings.Replace(f.URL, "http:", "https:", 1) },
	} {
		broken := s.config
		for _, f := range []*front{s.swift, s.web, s.aws, s.consul, s.check, s.graphite, s.grafana, s.webhook} {
			to, err := url.Parse(address(f))
			if err != nil {
				s.t.Fatal(err)
			}
			broken = strings.ReplaceAll(broken, f.URL, to.String())
			broken = strings.ReplaceAll(broken, "http://probe:"+mark+"CheckPassword@"+strings.TrimPrefix(f.URL, "http://"), to.Scheme+"://probe:"+mark+"CheckPassword@"+to.Host)
			broken = strings.ReplaceAll(broken, fmt.Sprintf("%q", strings.TrimPrefix(f.URL, "http://")), fmt.Sprintf("%q", to.String()))
		}
		s.write("dropship.hcl", broken)
		s.wrong(what, "plan")
		s.wrong(what, "apply", "--wait", "1s")
		s.wrong(what, "retry", "turn")
	}
	s.write("dropship.hcl", s.config)
}

// breakFiles makes mistakes beside credentials, and in them.
func (s *secretsTest) breakFiles() {
	for _, edit := range [][2]string{
		{`token     = "` + mark, `tokenn    = "` + mark},
		{`token     = "` + mark + `S3Token"`, `token     = "` + mark + `S3Token`},
		{`password = "` + mark + `WebPassword"`, `password = ["` + mark + `WebPassword"]`},
		{`password = "` + mark + `WebPassword"`, `password = "` + mark + `WebPassword" + 1`},
		{`password = "` + mark + `WebPassword"`, `password = "${` + mark + `WebPassword}"`},
		{`env("S3_SECRET")`, `env("S3_SECRET", env("UNUSED_PASSWORD"), 1)`},
		{`env("S3_SECRET")`, `number(env("S3_SECRET"))`},
		{`env("S3_SECRET")`, `env(env("S3_SECRET"))`},
		{`file("password")`, `file(file("password"))`},
		{`file("password")`, `[file("password")]`},
		{"probe:" + mark, "probe%zz:" + mark},
		{`user     = "graphite"`, `user     = graphite`},
		{"/services/", "/services/${nope}"},
		{s.webhook.URL + "/services/", "ftp://127.0.0.1/services/"},
		{"whsec_", "whsec-"},
		{`${env("ROUTING_KEY")}\"`, `${env("ROUTING_KEY")}`},
		{`checkInterval     = "1h"`, `checkInterval     = env("UNUSED_PASSWORD")`},
		{`bucket = "b"`, `bucket = "b` + "\n" + mark},
	} {
		broken := strings.Replace(s.config, edit[0], edit[1], 1)
		if broken == s.config {
			s.t.Fatalf("there is no %q in the configuration", edit[0])
		}
		s.write("dropship.hcl", broken)
		if _, _, code := s.run("validate"); code != 2 {
			s.t.Errorf("with %s: exit code %d of validate, want 2", edit[1], code)
			continue
		}
		for _, command := range []string{"validate", "plan", "agent"} {
			s.wrong("with "+edit[1], command)
		}
	}
	s.write("dropship.hcl", s.config)
}

// runAgent lets the agent update, reload a mistake, and die of SIGQUIT, which prints what all goroutines are at.
func (s *secretsTest) runAgent(v int) {
	s.t.Helper()
	s.publish(fmt.Sprint(v))
	s.start()
	s.waitLog("msg=updated", 3)
	for _, file := range []string{"cmdline", "environ"} {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", s.cmd.Process.Pid, file))
		if err != nil {
			s.t.Fatal(err)
		}
		if file == "cmdline" {
			s.clean("the command line of the agent", string(data))
		} else if !strings.Contains(string(data), mark) {
			s.t.Error("the environment of the agent has no credentials")
		}
	}
	s.write("dropship.hcl", strings.Replace(s.config, "tokenn", "", 1)+"\nrepo \"http\" { password = \""+mark+"\" }\n")
	s.signal(syscall.SIGHUP)
	s.waitLog("the old one stays in force", 1)
	s.signal(syscall.SIGQUIT)
	<-s.done
	if log := s.log.String(); !strings.Contains(log, "goroutine ") {
		s.t.Error("SIGQUIT printed no goroutines")
	}
	s.clean("the log of the agent", s.log.String())
	s.write("dropship.hcl", s.config)
}

// checkWhoSaw fails the test if a credential did not reach whom it is for, or reached somebody else.
func (s *secretsTest) checkWhoSaw() {
	s.t.Helper()
	decoded := func(text string) string { // with what basic authentication packs
		for line := range strings.Lines(text) {
			if _, packed, ok := strings.Cut(strings.TrimSpace(line), "Basic "); ok {
				plain, _ := base64.StdEncoding.DecodeString(packed)
				text = strings.ReplaceAll(text, packed, string(plain))
			}
		}
		return text
	}
	for name, f := range map[string]*front{"Swift": s.swift, "the web server": s.web, "S3": s.aws, "Consul": s.consul, "the application": s.check, "Graphite": s.graphite, "Grafana": s.grafana, "the webhook": s.webhook} {
		asked := decoded(f.asked())
		for _, value := range s.allowed(f) {
			if !strings.Contains(asked, value) {
				s.t.Errorf("%s never saw %s", name, value)
			}
		}
		s.clean("what "+name+" was asked", asked, s.allowed(f)...)
	}
	if s.stranger.asked() == "" {
		s.t.Error("nobody followed a redirect")
	}
	s.clean("what another host was asked", decoded(s.stranger.asked()))
	environment := s.read("environment")
	for _, value := range s.allowed(hookEnvironment{}) {
		if !strings.Contains(environment, value) {
			s.t.Errorf("the hook never saw %s", value)
		}
	}
	s.clean("the environment of a hook", environment, s.allowed(hookEnvironment{})...)
}

// checkWhatIsLeft looks into every file but the configuration's, and into Consul.
func (s *secretsTest) checkWhatIsLeft() {
	s.t.Helper()
	var states, releases int
	err := filepath.WalkDir(s.dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		switch d.Name() {
		case "dropship.hcl", "password", "environment":
			return nil
		case "release.json":
			releases++
		case "turn.json":
			states++
		}
		data, err := os.ReadFile(name)
		s.clean(name, string(data))
		return err
	})
	if err != nil || states == 0 || releases == 0 {
		s.t.Errorf("got %d states, %d releases, %v", states, releases, err)
	}
	client, err := api.NewClient(&api.Config{Address: s.store})
	if err != nil {
		s.t.Fatal(err)
	}
	pairs, _, err := client.KV().List("", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	sessions, _, err := client.Session().List(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, what := range []any{pairs, sessions} {
		text, err := json.Marshal(what)
		if err != nil {
			s.t.Fatal(err)
		}
		s.clean("Consul", string(text))
	}
	for _, pair := range pairs {
		s.clean(pair.Key, string(pair.Value))
	}
}
