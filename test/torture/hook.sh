#!/bin/sh
# hook stop | start
#
# The application of a tortured machine: the file "running" beside this script. hooks.log has a line for each run that
# begins and for each that is through, with the update it is for. A file "hang-stop" or "hang-start" makes it wait, with
# its process id in "hanging", until that file is gone; a file "kill-stop" or "kill-start" makes it kill its parent.
cd "${0%/*}" || exit 1
echo "$1 begin $DROPSHIP_STATUS $DROPSHIP_UPDATE_ID" >>hooks.log
if [ -e "kill-$1" ]; then
  rm -f "kill-$1"
  kill -9 "$PPID"
  exit 1
fi
if [ -e "hang-$1" ]; then
  echo $$ >hanging.new
  mv hanging.new hanging
  while [ -e "hang-$1" ]; do sleep 0.02; done
fi
case $1 in
  stop)
    rm -f running
    ;;
  start)
    if [ -e "$DROPSHIP_DESTINATION/BROKEN" ]; then exit 1; fi
    if [ -f "$DROPSHIP_DESTINATION" ]; then
      { read -r _; read -r line; } <"$DROPSHIP_DESTINATION"
      if [ "$line" = "# BROKEN" ]; then exit 1; fi
    fi
    : >running
    ;;
esac
echo "$1 end $DROPSHIP_STATUS $DROPSHIP_UPDATE_ID" >>hooks.log
