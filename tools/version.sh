#!/usr/bin/env bash
# The version that a build of this tree has, from the headings of CHANGELOG.md: the newest release there, with +dev
# behind it while changes stand above that are not yet released.
#   tools/version.sh CHANGELOG.md
set -euo pipefail
awk '
    /^## [0-9]+\.[0-9]+\.[0-9]+/ { print $2 (unreleased ? "+dev" : ""); found = 1; exit }
    /^## / { unreleased = 1 }
    END { exit !found }
' "$1"
