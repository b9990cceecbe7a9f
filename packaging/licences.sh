#!/bin/bash
# licences.sh PACKAGE... -- print the copyright notices and licences of all that is linked into these Go packages.
#
# They are taken from the sources that GOOS and GOARCH select. A module without any is an error.
set -euo pipefail

licences() { # DIRECTORY
  find "$1" -maxdepth 1 -type f -regextype posix-extended \
    -iregex '.*/(licen[cs]e|copying|copyright|notice|unlicense|patents)([-.][^/]*)?' ! -name '*.go' | LC_ALL=C sort
}

section() { # NAME FILE...
  printf '%s\n\n' "$1"
  shift
  sed 's/^/    /; s/[[:space:]]*$//' "$@"
  printf '\n'
}

goroot=$(go env GOROOT)
for file in "$goroot"/LICENSE /usr/share/doc/golang-*-go/copyright; do
  [ ! -r "$file" ] || break
done
[ -r "$file" ] || {
  echo "licences.sh: cannot find Go's licence: there is no $goroot/LICENSE" >&2
  exit 1
}
section "The Go standard library, $(go env GOVERSION)" "$file"

packages=$(go list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}} {{$.Dir}}{{end}}{{end}}' "$@" | LC_ALL=C sort -u)
declare -A seen
while read -r path version root dir; do
  # What was copied from elsewhere into a module has its licence in its own directory, or above that.
  while :; do
    [ -z "${seen[$dir]:-}" ] || break
    seen[$dir]=yes
    found=$(licences "$dir")
    if [ -n "$found" ]; then
      mapfile -t files <<<"$found"
      section "$path${dir#"$root"} $version" "${files[@]}"
    elif [ "$dir" = "$root" ]; then
      echo "licences.sh: cannot find the licence of $path $version in $dir" >&2
      exit 1
    fi
    [ "$dir" != "$root" ] || break
    dir=${dir%/*}
  done
done <<<"$packages"
