#!/bin/bash
# rpm.sh DIRECTORY PACKAGE.deb... -- make an rpm of each Debian package of Dropship, with the same files.
#
# packaging/dist/nfpm.yaml says what goes where. The rpms appear in DIRECTORY. The same packages give the same rpms.
set -euo pipefail
[ $# -ge 2 ] || { echo "usage: rpm.sh DIRECTORY PACKAGE.deb..." >&2; exit 2; }
mkdir -p "$1"
to=$(cd "$1" && pwd)
shift
packaging=$(cd "$(dirname "$0")" && pwd)
nfpm=$(cd "$packaging/dist" && go tool -n nfpm)

files=
trap 'rm -rf "$files"' EXIT
field() { dpkg-deb --field "$package" "$1"; }
for package; do
  files=$(mktemp -d)
  dpkg-deb --extract "$package" "$files"
  # What is Debian's, or the licence in Debian's way.
  rm "$files"/usr/share/doc/dropship/{changelog.gz,copyright}
  cp "$packaging"/../LICENSE "$packaging"/dist/*.sh "$files"
  rpm=dropship-$(field Version)-1.$(field Architecture | sed 's/amd64/x86_64/; s/arm64/aarch64/').rpm
  log=$(
    cd "$files"
    VERSION=$(field Version) ARCH=$(field Architecture) MAINTAINER=$(field Maintainer) HOMEPAGE=$(field Homepage) \
      DESCRIPTION=$(field Description | sed 's/^ \.\?//') SOURCE_DATE_EPOCH=$(stat --format=%Y usr/bin/dropship) \
      "$nfpm" package --config "$packaging/dist/nfpm.yaml" --packager rpm --target "$to/$rpm" 2>&1
  ) || {
    echo "$log" >&2
    echo "rpm.sh: cannot make the rpm of $package" >&2
    exit 1
  }
  rm -rf "$files"
  echo "$to/$rpm"
done
