mkdir -p /etc/systemd/logind.conf.d
# Debian exempts root; a user with sudo is what is tried here.
printf '[Login]\nKillUserProcesses=yes\n' > /etc/systemd/logind.conf.d/vm-check.conf
systemctl restart systemd-logind
escale down shop --yes > /tmp/down.out 2>&1 || escale down shop > /tmp/down.out 2>&1 || fail "down: $(tail -1 /tmp/down.out)"
escale reset --yes > /tmp/reset.out 2>&1 || fail "reset: $(tail -1 /tmp/reset.out)"
