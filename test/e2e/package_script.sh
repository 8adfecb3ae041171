# shellcheck shell=bash
# What the administrator of a machine does with the package; test_package.py looks at what was said.
# `main_pid` waits until the service runs as another process than the one given.
main_pid() {
    local pid
    until pid=$(systemctl show -P MainPID drumbeat) && [[ $pid != 0 && $pid != "${1-0}" ]]; do sleep 0.1; done
    until systemctl is-active -q drumbeat; do sleep 0.1; done
    echo "$pid"
}

section install
dpkg -i drumbeat_*.deb
echo "code $?"

section without-configuration
systemctl start drumbeat
systemctl is-active drumbeat
systemctl is-enabled drumbeat
systemctl show -P ConditionResult drumbeat

section start
cp config.yaml /etc/drumbeat/drumbeat.yaml
install -m 600 /dev/stdin /etc/drumbeat/secrets/CRM_TOKEN <<<the-token
drumbeat check --strict
systemctl start drumbeat
systemctl is-active drumbeat
systemctl show -P StatusText drumbeat
ps -o user= -p "$(main_pid)"
stat -c '%U %a %n' /var/lib/drumbeat /var/lib/drumbeat/drumbeat.db /var/lib/drumbeat/drumbeat.db.sock

section delivered
drumbeat demo --receiver --port 8129 >received &
until grep -q shows received; do sleep 0.1; done
drumbeat send LEAD_CAPTURE --data '{"email":"ada@example.com"}' --key lead-41 --wait
grep POST received

section rated
systemd-analyze security --no-pager drumbeat | tail -n 1

section confined
pid=$(main_pid)
grep -E '^(NoNewPrivs|CapEff|CapBnd|Seccomp):' "/proc/$pid/status"
nsenter -t "$pid" -m touch /etc/drumbeat/x
nsenter -t "$pid" -m touch /var/lib/drumbeat/x && echo may write its state

section reload
sed -i 's/lead_source: direct/lead_source: page/' /etc/drumbeat/drumbeat.yaml
systemctl reload drumbeat
echo "code $?"
drumbeat send LEAD_CAPTURE --data '{"email":"bob@example.com"}' --wait
grep -o '"lead_source":"page"' received

section reload-refused
cp /etc/drumbeat/drumbeat.yaml good.yaml
sed -i 's/on_unknown: retry/on_unknow: retry/' /etc/drumbeat/drumbeat.yaml
systemctl reload drumbeat
echo "code $?"
systemctl is-active drumbeat
journalctl -u drumbeat -o cat | grep -o "error E....: unknown key 'on_unknow'"
cp good.yaml /etc/drumbeat/drumbeat.yaml

section killed
pid=$(main_pid)
kill -9 "$pid"
main_pid "$pid" >/dev/null && echo runs again

section watchdog
mkdir -p /etc/systemd/system/drumbeat.service.d
printf '[Service]\nWatchdogSec=1\n' >/etc/systemd/system/drumbeat.service.d/watchdog.conf
systemctl daemon-reload
systemctl restart drumbeat
pid=$(main_pid)
sleep 3 # three times the watchdog's time: one that is fed is left alone
[[ $(main_pid) == "$pid" ]] && echo left alone
kill -STOP "$pid"
main_pid "$pid" >/dev/null && echo runs again
journalctl -u drumbeat -o cat | grep -o 'Watchdog timeout'
rm -r /etc/systemd/system/drumbeat.service.d
systemctl daemon-reload

section wrong-configuration
echo 'version: 2' >/etc/drumbeat/drumbeat.yaml
systemctl restart drumbeat
systemctl is-active drumbeat
systemctl show -p ExecMainStatus -p NRestarts drumbeat
cp good.yaml /etc/drumbeat/drumbeat.yaml
systemctl reset-failed drumbeat
systemctl start drumbeat

section upgrade
pid=$(main_pid)
dpkg -i drumbeat_*.deb
main_pid "$pid" >/dev/null && echo runs again
drumbeat events list --key lead-41 --jq '.items[].status'

section remove
dpkg --purge drumbeat
systemctl is-active drumbeat
ls /etc/drumbeat /var/lib/drumbeat
section end
