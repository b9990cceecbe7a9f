# The service under a systemd without the package. Runs beside a booted machine: $IN runs a command in it, $LEADER is
# its first process; dropship is $1.
set -eu
inside=/proc/$LEADER/root

fail() {
	echo "FAILED: $*"
	$IN journalctl -b -u dropship --no-hostname | tail -50
	exit 1
}

# exits CODE COMMAND…: inside
exits() {
	want=$1
	shift
	got=0
	$IN "$@" || got=$?
	[ $got = "$want" ] || fail "$* exited with $got, want $want"
}

mkdir -p "$inside/opt/bin" "$inside/etc/my/services" "$inside/srv"
cp "$1" "$inside/opt/bin/dropship"
cat >"$inside/etc/my/my.hcl" <<END
service_path = "services"
repo "file" { root = "/srv/artifacts" }
END

exits 4 /opt/bin/dropship service status
exits 0 /opt/bin/dropship service install --config /etc/my/my.hcl
[ "$($IN systemctl is-enabled dropship)" = enabled ] || fail "not enabled"
exits 3 /opt/bin/dropship service status
exits 0 /opt/bin/dropship service start
exits 0 /opt/bin/dropship service status
exits 0 systemctl is-active dropship
# The agent itself has said so: the unit is of Type=notify.
$IN systemctl show -p StatusText dropship | grep -q service || fail "not told ready: $($IN systemctl show -p StatusText dropship)"
pid=$($IN systemctl show --value -p MainPID dropship)
[ "$($IN cat /proc/$pid/cmdline | tr '\0' ' ')" = "/opt/bin/dropship agent --config /etc/my/my.hcl " ] || fail "runs something else"
exits 0 systemctl reload dropship
exits 0 /opt/bin/dropship service restart
[ "$($IN systemctl show --value -p MainPID dropship)" != "$pid" ] || fail "restart did nothing"
exits 0 /opt/bin/dropship service stop
exits 3 /opt/bin/dropship service status
exits 0 /opt/bin/dropship service start
exits 0 /opt/bin/dropship service uninstall
exits 4 /opt/bin/dropship service status
[ -z "$(find "$inside/etc/systemd" -name '*dropship*')" ] || fail "left: $(find "$inside/etc/systemd" -name '*dropship*')"
[ "$($IN systemctl show --value -p LoadState dropship)" = not-found ] || fail "systemd still knows the unit"
