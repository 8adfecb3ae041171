#!/usr/bin/env bash
# Builds the Debian package of this tree in a copy of what git knows of it, so that nothing of an earlier build is in it.
#   tools/deb.sh FOLDER     where the package and its .changes go
set -euo pipefail
mkdir -p "$1"
folder=$(realpath "$1")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
mkdir "$copy/drumbeat"
# A file that was removed and not yet committed is named, too.
git ls-files -z --cached --others --exclude-standard |
    while IFS= read -r -d '' file; do [[ ! -e $file ]] || printf '%s\0' "$file"; done |
    tar -c --null -T - | tar -x -C "$copy/drumbeat"
cd "$copy/drumbeat"
dpkg-buildpackage -b -us -uc
mv "$copy"/*.deb "$copy"/*.changes "$copy"/*.buildinfo "$folder"
