started=$(now_ms)
escale down shop --yes > /tmp/down.out 2>&1 || escale down shop > /tmp/down.out 2>&1 || fail "down: $(tail -1 /tmp/down.out)"
took=$(($(now_ms) - started))
left=$(processes)
[ -z "$left" ] || fail "processes are left: $(ps -o pid=,comm= -p $left | tr '\n' ' ')"
! answers || fail "the shop still answers"
echo "$((took / 1000)) s"
