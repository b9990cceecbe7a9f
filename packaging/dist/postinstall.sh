# rpm runs this with how many of the package there are then: 1 for the first, more for an upgrade.
[ -d /run/systemd/system ] && systemctl daemon-reload >/dev/null 2>&1 || :
if [ "$1" -eq 1 ]; then
	# Whether a new daemon is enabled is the policy of the machine.
	systemctl --no-reload preset dropship.service >/dev/null 2>&1 || :
elif [ -d /run/systemd/system ]; then
	# An agent that is told to stop completes the update whose hooks run, for as long as that takes, and the new one
	# starts after it. Nobody waits for that here: the package may be upgraded by one of those hooks.
	systemctl --no-block try-restart dropship.service >/dev/null 2>&1 || :
fi
# One of the administrator's, or of "dropship service install". A mask, which is a link to /dev/null, is no file.
shadow=/etc/systemd/system/dropship.service
if [ -f "$shadow" ]; then
	echo "dropship: $shadow is in force and not the package's unit. To change that:" \
		"rm $shadow && systemctl reenable dropship && systemctl restart dropship" >&2
fi
