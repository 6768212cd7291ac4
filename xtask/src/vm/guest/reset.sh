if escale service --help > /dev/null 2>&1; then
    escale service remove > /tmp/service.out 2>&1 || fail "service remove: $(tail -1 /tmp/service.out)"
fi
escale reset --yes > /tmp/reset.out 2>&1 || fail "reset: $(tail -1 /tmp/reset.out)"
left=()
found() {
    [ -z "$2" ] || left+=("$1: $(tr '\n' ' ' <<< "$2")")
}
found processes "$(pgrep -l 'escale|shop-|postgres|crun|conmon')"
found namespaces "$(ip netns list; ls /run/netns 2> /dev/null)"
found mounts "$(grep -e escale -e overlay /proc/mounts | cut -d' ' -f2)"
found cgroups "$(find /sys/fs/cgroup -mindepth 1 -type d -regextype egrep \( -name '*escale*' -o -regex '.*/[0-9a-f]{8}' \))"
found 'nft rules' "$(nft list ruleset)"
found links "$(ip -br link | grep -v -e '^lo ' -e '^en' -e '^eth' | cut -d' ' -f1)"
found files "$(find $HOME/.local/share/escale /var/lib/escale /run/escale -mindepth 1 2> /dev/null | head -5)"
found units "$(ls /etc/systemd/system/*escale* 2> /dev/null; systemctl list-units --all --no-legend '*escale*')"
found 'shared memory' "$(ipcs -m | grep postgres; ls /dev/shm | grep -i postgres)"
[ ${#left[@]} = 0 ] || fail "left behind: ${left[*]}"
echo "no process, namespace, mount, cgroup, rule, link, file or unit"
