#!/bin/bash
# deb.sh [-e COMMAND] DIRECTORY ARCHITECTURE... -- build the Debian package of this checkout for each architecture.
#
# What is built is a copy of the checkout: its files that git knows or would add. With -e a shell runs COMMAND in that
# copy first. COMMIT is what `dropship version` tells about it. The packages appear in DIRECTORY. The same files and the same Go give the same packages, byte for byte.
set -euo pipefail
: "${COMMIT:=unknown}"
export COMMIT
# Of the make that called this.
unset MAKEFLAGS MFLAGS MAKELEVEL

edit=
while getopts e: option; do
  case $option in
    e) edit=$OPTARG ;;
    *) exit 2 ;;
  esac
done
shift $((OPTIND - 1))
[ $# -ge 2 ] || { echo "usage: deb.sh [-e COMMAND] DIRECTORY ARCHITECTURE..." >&2; exit 2; }
mkdir -p "$1"
to=$(cd "$1" && pwd)
shift
cd "$(dirname "$0")/.."

missing=()
for tool in git go make; do
  command -v $tool >/dev/null || missing+=($tool)
done
for package in dpkg-dev debhelper fakeroot; do
  [ "$(dpkg-query --show --showformat='${db:Status-Status}' $package 2>/dev/null)" = installed ] || missing+=($package)
done
[ ${#missing[@]} -eq 0 ] || { echo "deb.sh: missing: ${missing[*]}" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
source=$work/dropship
mkdir "$source"
# A file that is deleted and not yet committed is still listed.
git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
  [ ! -e "$file" ] || printf '%s\0' "$file"
done | tar -c --null --no-recursion -T - | tar -x -m --no-same-owner -C "$source"
cd "$source"
[ -z "$edit" ] || bash -euc "$edit"

for architecture; do
  # The modules, if they are not here yet: the build itself downloads nothing.
  GOFLAGS=-mod=readonly go list -deps ./cmd/dropship >/dev/null
  dpkg-buildpackage --build=binary --unsigned-changes --unsigned-buildinfo --no-check-builddeps \
    --host-arch "$architecture" >"$work/log" 2>&1 || {
    cat "$work/log" >&2
    echo "deb.sh: cannot build the package for $architecture" >&2
    exit 1
  }
  for package in ../*.deb; do
    mv "$package" "$to/"
    echo "$to/${package##*/}"
  done
done
