trap 'rm -f /etc/systemd/logind.conf.d/vm-check.conf; systemctl restart systemd-logind' EXIT
gone() {
    ! loginctl list-sessions --no-legend | grep -qw dev
}
within 60 gone || fail "the session of dev is still there: $(loginctl list-sessions --no-legend | grep -w dev)"
left=$(processes)
alive() {
    pid=$(daemon_pid) && [ "$pid" != null ] && [ -d "/proc/$pid" ]
}
alive || fail "the daemon died at logout; tasks and databases alive: ${left:-none}"
within 30 answers || fail "the shop does not answer after the logout; processes: $left"
counts="$(pgrep -cx shop-backend) backends, $(pgrep -cx shop-frontend) frontends, $(processes | wc -w) first processes"
echo "daemon in $(cut -d: -f3 "/proc/$pid/cgroup" | tail -1); $counts"
