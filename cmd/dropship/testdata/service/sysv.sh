# The life of a System V service. Runs as pid 1 of namespaces of its own, in an empty directory, with dropship as $1.
set -eu
dropship=$1
here=$(pwd)

fail() {
	echo "FAILED: $*"
	cat /var/log/dropship.log 2>/dev/null || true
	exit 1
}

# until CONDITION: waits for it.
until_() {
	n=0
	until eval "$1"; do
		n=$((n + 1))
		[ $n -lt 600 ] || fail "never came true: $1"
		sleep 0.1
	done
}

# exits CODE COMMAND…
exits() {
	want=$1
	shift
	got=0
	"$@" || got=$?
	[ $got = "$want" ] || fail "$* exited with $got, want $want"
}

running_pids() { grep -l "$here/conf[.]hcl" /proc/[0-9]*/cmdline 2>/dev/null | wc -l; }

# Whatever is installed on this machine is out of sight, and what is installed here goes with the namespace.
mkdir -m 755 private
mount -t tmpfs none private
mkdir private/etc private/work
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$here/private/etc,workdir=$here/private/work" /etc
mkdir -p /etc/rc0.d /etc/rc1.d /etc/rc2.d /etc/rc3.d /etc/rc4.d /etc/rc5.d /etc/rc6.d /etc/init.d
rm -f /etc/inittab
for dir in /run /var/log /lib/systemd/system; do
	[ ! -d $dir ] || mount -t tmpfs none $dir
done
find /etc/ -path '*dropship*' | sort >before

# Not without a right configuration.
echo 'stateDir = 5s' >conf.hcl
exits 2 "$dropship" service install --config conf.hcl
[ ! -e /etc/init.d/dropship ] || fail "installed with a bad configuration"
exits 4 "$dropship" service status
exits 1 "$dropship" service start

mkdir services artifacts
cat >conf.hcl <<END
service_path = "services"
stateDir     = "$here/state"
socket       = "$here/dropship.sock"
repo "file" { root = "$here/artifacts" }
END
cat >services/web.hcl <<END
service "web" {
  checkInterval = "1s"
  before "script" { command = "touch $here/began; until [ -e $here/go ]; do sleep 0.1; done; rm $here/began" }
  artifact "file" {
    path        = "web"
    type        = "file"
    destination = "$here/web"
  }
}
END
echo one >artifacts/web

# With a relative --config: it is remembered absolute.
"$dropship" service install --config conf.hcl
exits 1 "$dropship" service install --config conf.hcl
sh -n /etc/init.d/dropship
[ -x /etc/init.d/dropship ] || fail "the init script is not executable"
[ "$(readlink /etc/rc2.d/S50dropship)" = /etc/init.d/dropship ] || fail "not enabled"
exits 3 "$dropship" service status
exits 3 /etc/init.d/dropship status
"$dropship" service stop

# Credentials come from where they do under systemd.
echo 'FROM_DEFAULT="a value"' >/etc/default/dropship
"$dropship" service start
exits 0 "$dropship" service status
exits 0 /etc/init.d/dropship status
pid=$(cat /var/run/dropship.pid)
grep -qz '^FROM_DEFAULT=a value$' "/proc/$pid/environ" || fail "no environment from /etc/default/dropship"
[ "$(stat -c %a /var/log/dropship.log /var/run/dropship | tr '\n' ' ')" = "600 700 " ] || fail "modes"
"$dropship" service start
/etc/init.d/dropship start
[ "$(running_pids)" = 1 ] || fail "$(running_pids) agents run"

# A stop waits for the update that has begun its hooks, and the update is completed.
until_ '[ -e began ]'
"$dropship" service stop &
stop=$!
until_ 'grep -q "msg=\"stopping" /var/log/dropship.log'
exits 0 "$dropship" service status
touch go
wait $stop || fail "stop exited with $?"
[ "$(cat web)" = one ] || fail "the update was not completed before stop came back"
exits 3 "$dropship" service status
[ "$(running_pids)" = 0 ] || fail "it still runs"

# A restart replaces the process, but not when that one could not start.
"$dropship" service restart
old=$(cat /var/run/dropship.pid)
"$dropship" service restart
new=$(cat /var/run/dropship.pid)
[ "$old" != "$new" ] || fail "restart did nothing"
echo 'servce "x" {}' >services/bad.hcl
exits 1 "$dropship" service restart
exits 6 /etc/init.d/dropship reload
[ "$(cat /var/run/dropship.pid)" = "$new" ] && kill -0 "$new" || fail "the running agent did not survive a bad configuration"
rm services/bad.hcl
/etc/init.d/dropship reload
until_ 'grep -q "msg=\"configuration reloaded\"" /var/log/dropship.log'

# A dead agent is no running one, and neither is another process of its number.
kill -KILL "$new"
until_ '! kill -0 "$new" 2>/dev/null'
exits 1 /etc/init.d/dropship status
exits 3 "$dropship" service status
echo 1 >/var/run/dropship.pid
exits 3 "$dropship" service status
"$dropship" service start

# A unit of a package is not competed with.
mkdir -p /lib/systemd/system
touch /lib/systemd/system/dropship.service
for action in install uninstall start stop restart status; do
	exits 1 "$dropship" service $action --config conf.hcl 2>refusal
	grep -q '/lib/systemd/system/dropship.service: use systemctl' refusal || fail "$(cat refusal)"
done
rm /lib/systemd/system/dropship.service

# Only root.
exits 1 setpriv --reuid 65534 --regid 65534 --clear-groups "$dropship" service stop 2>refusal
grep -q 'cannot stop the service: only root can' refusal || fail "$(cat refusal)"

# What install made is gone after uninstall, and the agent with it.
"$dropship" service uninstall
[ "$(running_pids)" = 0 ] || fail "it still runs after uninstall"
rm /etc/default/dropship
find /etc/ -path '*dropship*' | sort >after
diff before after || fail "uninstall left something"
exits 4 "$dropship" service status
"$dropship" service uninstall
