#!/bin/bash
# dist.sh DIRECTORY OS/ARCHITECTURE... -- build what a release of the sources around it has, into DIRECTORY: an archive
# and an SBOM for each platform, a Debian package and an rpm for each that is Linux, and SHA256SUMS of all of them.
#
# Building leaves files in the sources and beside them: copy.sh gives it a copy. COMMIT is what `dropship version` tells
# about it. The same files and the same Go give the same files, byte for byte.
set -euo pipefail
: "${COMMIT:=unknown}"
export COMMIT CGO_ENABLED=0 TZ=UTC LC_ALL=C
[ $# -ge 2 ] || { echo "usage: dist.sh DIRECTORY OS/ARCHITECTURE..." >&2; exit 2; }
mkdir -p "$1"
to=$(cd "$1" && pwd)
shift
cd "$(dirname "$0")/.."
command -v zip >/dev/null || { echo "dist.sh: missing: zip" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
out=$work/out
mkdir "$out"
VERSION=$(dpkg-parsechangelog --show-field Version)
SOURCE_DATE_EPOCH=$(dpkg-parsechangelog --show-field Timestamp)
export VERSION SOURCE_DATE_EPOCH
sbom=$(cd packaging/dist && go tool -n sbom)

make -s build
mkdir "$work/completions"
bin/dropship completion bash >"$work/completions/dropship.bash"
bin/dropship completion zsh >"$work/completions/_dropship"
bin/dropship completion fish >"$work/completions/dropship.fish"

archive() { # OS ARCHITECTURE
  local name=dropship_${VERSION}_$1_$2 program=dropship
  local directory=$work/$name
  [ "$1" != windows ] || program=dropship.exe
  (
    export GOOS=$1 GOARCH=$2
    make -s build
    mkdir -p "$directory/man"
    mv bin/dropship "$directory/$program"
    packaging/licences.sh ./cmd/dropship >"$directory/third-party-licences"
  )
  cp -r LICENSE README.md docs examples packaging/dropship.hcl "$work/completions" "$directory"
  cp packaging/man/*.[1-8] "$directory/man"
  [ "$1" != linux ] || cp packaging/dropship.service "$directory"
  find "$directory" -exec touch --date="@$SOURCE_DATE_EPOCH" {} +
  (
    cd "$work"
    if [ "$1" = windows ]; then
      find "$name" | sort | zip -q -X -9 "$out/$name.zip" -@
    else
      tar -c --sort=name --format=gnu --owner=0 --group=0 --numeric-owner "$name" | gzip -9n >"$out/$name.tar.gz"
    fi
  )
  "$sbom" "$directory/$program" "$VERSION" >"$out/$name.cdx.json"
}

for platform; do
  archive "${platform%/*}" "${platform#*/}"
  case $platform in
  linux/*)
    deb=$(packaging/deb.sh "$out" "${platform#*/}")
    packaging/rpm.sh "$out" "$deb" >/dev/null
    ;;
  esac
done

cd "$out"
sha256sum -- * >"$work/SHA256SUMS"
mv "$work/SHA256SUMS" .
for file in *; do
  mv "$file" "$to/"
  echo "$to/$file"
done
