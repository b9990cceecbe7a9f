#!/bin/sh
# hook stop | start | check
#
# The application of a tortured machine: the file "running" beside this script. hooks.log has a line for each run that
# begins and for each that is through or has failed, with the update it is for. A file "hang-HOOK" makes it wait until
# that file is gone. A file "kill-HOOK" makes it kill its parent, once, in an update of the status that is in the file.
cd "${0%/*}" || exit 1
echo "$1 begin $DROPSHIP_STATUS $DROPSHIP_UPDATE_ID" >>hooks.log
if [ -e "kill-$1" ]; then
  read -r status <"kill-$1"
  if [ "$status" = "$DROPSHIP_STATUS" ]; then
    rm -f "kill-$1"
    kill -9 "$PPID"
    exit 1
  fi
fi
while [ -e "hang-$1" ]; do sleep 0.02; done
case $1 in
  stop)
    rm -f running
    ;;
  start)
    broken=
    if [ -e "$DROPSHIP_DESTINATION/BROKEN" ]; then broken=yes; fi
    if [ -f "$DROPSHIP_DESTINATION" ]; then
      { read -r _; read -r line; } <"$DROPSHIP_DESTINATION"
      if [ "$line" = "# BROKEN" ]; then broken=yes; fi
    fi
    if [ "$broken" ]; then
      echo "$1 failed $DROPSHIP_STATUS $DROPSHIP_UPDATE_ID" >>hooks.log
      exit 1
    fi
    : >running
    ;;
  check)
    [ -e running ] || exit 1
    ;;
esac
echo "$1 end $DROPSHIP_STATUS $DROPSHIP_UPDATE_ID" >>hooks.log
