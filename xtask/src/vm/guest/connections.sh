# A login has 1,024 descriptors by default; this script takes more for itself, the daemon must do so, too.
[ "$(bash -lc 'ulimit -Sn')" = 1024 ] || fail "this login's soft limit is not 1024: the check would prove nothing"
wanted=500
before=$(tasks)
lines=$(wc -l < "$HOME/.local/share/escale/daemon.log")
ulimit -Sn 4096
answered=0
# One request after the other, while all connections stay open: the machine is to run out of descriptors, not of time.
for count in $(seq $wanted); do
    exec {fd}<> /dev/tcp/127.0.0.1/8080 || fail "connection $count was refused"
    printf 'GET /api/items?limit=1 HTTP/1.1\r\nHost: shop.localhost\r\n\r\n' >&"$fd"
    read -r -t 30 line <&"$fd" && [[ $line == *" 200 "* ]] && answered=$((answered + 1))
done
# Three health checks of the load balancer's default interval, of which two failed ones replace a task.
end=$((SECONDS + 50))
while [ $SECONDS -lt $end ]; do
    answers || fail "the shop does not answer beside $wanted open connections; $answered of them had an answer"
    sleep 5
done
new=$(tail -n +$((lines + 1)) "$HOME/.local/share/escale/daemon.log")
! grep -q 'Too many open files' <<< "$new" || fail "the daemon logged: $(grep -m 1 'Too many open files' <<< "$new" | tail -c 160)"
[ $answered = $wanted ] || fail "$answered of $wanted connections were answered"
[ "$(tasks)" = "$before" ] || fail "tasks were replaced: $before, now $(tasks)"
echo "$answered answered; daemon has $(ls "/proc/$(daemon_pid)/fd" | wc -l) descriptors; same tasks"
