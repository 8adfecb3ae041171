#!/usr/bin/env bash
# Lists the files of one kind, so that adding a file needs no edit of the build.
#   tools/sources.sh core|sim|tests|fuzz|bench|embed|papers|proto|all
set -euo pipefail
shopt -s nullglob globstar
export LC_ALL=C
cd "$(dirname "${BASH_SOURCE[0]}")/.."

print_files() { # FILE...
    local file
    for file in "$@"; do
        [[ -f $file && $file != src/main.c ]] && printf '%s\n' "$file"
    done
    return 0
}

case ${1-} in
core) print_files src/*.c src/*/*.c ;;
sim) print_files sim/*.c ;;
tests) print_files test/unit/*/test_*.c test/conformance/test_*.c ;;
fuzz) print_files fuzz/fuzz_*.c ;;
bench) print_files bench/bench_*.c ;;
embed) print_files connectors/*.yaml docs/openapi.json src/*/*.lua assets/** ;;
papers) print_files src/store/sql/*.sql src/store/tables.def src/store/*.[ch] ;;
proto) print_files proto/**/*.proto ;;
all)
    for kind in core sim tests fuzz bench embed papers proto; do
        "$BASH" tools/sources.sh "$kind"
    done
    ;;
*)
    echo "usage: tools/sources.sh core|sim|tests|fuzz|bench|embed|papers|proto|all" >&2
    exit 2
    ;;
esac
