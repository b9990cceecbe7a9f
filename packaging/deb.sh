#!/bin/bash
# deb.sh DIRECTORY ARCHITECTURE... -- build the Debian package of the sources around it for each architecture.
#
# Building leaves files in the sources and beside them: copy.sh gives it a copy. COMMIT is what `dropship version` tells
# about it. The packages appear in DIRECTORY. The same files and the same Go give the same packages, byte for byte.
set -euo pipefail
: "${COMMIT:=unknown}"
export COMMIT
[ $# -ge 2 ] || { echo "usage: deb.sh DIRECTORY ARCHITECTURE..." >&2; exit 2; }
mkdir -p "$1"
to=$(cd "$1" && pwd)
shift
cd "$(dirname "$0")/.."

missing=()
for tool in go make; do
  command -v $tool >/dev/null || missing+=($tool)
done
for package in dpkg-dev debhelper fakeroot; do
  [ "$(dpkg-query --show --showformat='${db:Status-Status}' $package 2>/dev/null)" = installed ] || missing+=($package)
done
[ ${#missing[@]} -eq 0 ] || { echo "deb.sh: missing: ${missing[*]}" >&2; exit 1; }

log=$(mktemp)
trap 'rm -f "$log"' EXIT
for architecture; do
  # The modules, if they are not here yet: the build itself downloads nothing.
  GOFLAGS=-mod=readonly go list -deps ./cmd/dropship >/dev/null
  dpkg-buildpackage --build=binary --unsigned-changes --unsigned-buildinfo --no-check-builddeps \
    --host-arch "$architecture" >"$log" 2>&1 || {
    cat "$log" >&2
    echo "deb.sh: cannot build the package for $architecture" >&2
    exit 1
  }
  for package in ../*.deb; do
    mv "$package" "$to/"
    echo "$to/${package##*/}"
  done
done
