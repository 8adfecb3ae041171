#!/usr/bin/env bash
# Installs a drumbeat that is built: the program, its manual pages, completions, the unit and the user of systemd, and an
# example of a configuration.
#   tools/install.sh PROGRAM     with DESTDIR= and PREFIX=/usr/local in the environment
set -euo pipefail
program=$(realpath "$1")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
prefix=${PREFIX:-/usr/local}
root=${DESTDIR-}$prefix

printed() { # FILE WORD... (what the program prints; a pipe would hide that it failed)
    local file=$1 text
    shift
    text=$("$program" "$@")
    printf '%s\n' "$text" | install -D -m 644 /dev/stdin "$file"
}

install -D -m 755 "$program" "$root/bin/drumbeat"
printed "$root/share/man/man1/drumbeat.1" reference drumbeat.1
printed "$root/share/man/man5/drumbeat.yaml.5" reference drumbeat.yaml.5
printed "$root/share/bash-completion/completions/drumbeat" completion bash
printed "$root/share/zsh/site-functions/_drumbeat" completion zsh
install -D -m 644 deploy/drumbeat.yaml "$root/share/doc/drumbeat/examples/drumbeat.yaml"
sed "s|/usr/bin/drumbeat|$prefix/bin/drumbeat|" deploy/systemd/drumbeat.service |
    install -D -m 644 /dev/stdin "$root/lib/systemd/system/drumbeat.service"
install -D -m 644 deploy/systemd/drumbeat.sysusers "$root/lib/sysusers.d/drumbeat.conf"
install -d -m 755 "${DESTDIR-}/etc/drumbeat"
install -d -m 700 "${DESTDIR-}/etc/drumbeat/secrets"
