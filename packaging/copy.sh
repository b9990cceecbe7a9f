#!/bin/bash
# copy.sh COMMAND [ARGUMENT...] -- run a command in a copy of this checkout: of the files that git knows or would add.
#
# So nothing else gets into what is built there, and nobody who goes on editing changes it half-way.
set -euo pipefail
# Of the make that called this.
unset MAKEFLAGS MFLAGS MAKELEVEL
# What is built is as readable as git has the files, and not as the one who builds it.
umask 022
[ $# -ge 1 ] || { echo "usage: copy.sh COMMAND [ARGUMENT...]" >&2; exit 2; }
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/dropship"
# A file that is deleted and not yet committed is still listed.
git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
  [ ! -e "$file" ] || printf '%s\0' "$file"
done | tar -c --null --no-recursion -T - | tar -x -m --no-same-owner -C "$work/dropship"
cd "$work/dropship"
"$@"
