#!/usr/bin/env bash
# Makes the secrets of docker-compose.yml in a folder that only you may enter. What is there stays.
#   compose/secrets.sh FOLDER
set -euo pipefail
umask 077
mkdir -p "$1"
cd "$1"

random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
keep() { # FILE (its text comes on stdin; the containers' users must read it, so the folder is what guards it)
    local text
    text=$(cat)
    [[ -e $1 ]] || { printf '%s\n' "$text" >"$1" && chmod 644 "$1"; }
}

random | keep DB_PASSWORD
random | keep REDIS_PASSWORD
random | keep grafana_password
printf '"drumbeat" "%s"\n' "$(cat DB_PASSWORD)" | keep userlist.txt
printf 'user default on >%s ~* &* +@all\n' "$(cat REDIS_PASSWORD)" | keep redis.acl
# Alerts go nowhere until the address of a webhook of Slack's is in it.
echo http://127.0.0.1:9/ | keep slack.url
chmod 700 .
