# rpm runs this with how many of the package there are afterwards: not 0 for an upgrade, where the agent goes on.
if [ "$1" -eq 0 ]; then
	# The one after the other: with --now there would be no stop where disabling fails.
	systemctl --no-reload disable dropship.service >/dev/null 2>&1 || :
	[ -d /run/systemd/system ] && systemctl stop dropship.service >/dev/null 2>&1 || :
fi
