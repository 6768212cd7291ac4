cleanup() {
    escale down eater --yes > /dev/null 2>&1 || escale down eater > /dev/null 2>&1
    swapoff /swap 2> /dev/null
    rm -f /swap
}
trap cleanup EXIT
fallocate -l 2G /swap && chmod 600 /swap && mkswap -q /swap && swapon /swap || fail "cannot make swap space"
escale up /root/eater > /tmp/eater.out 2>&1 || {
    cat /tmp/eater.out
    fail "up of a task with busybox: $(tail -1 /tmp/eater.out)"
}
cluster=$(ecs ListClusters '{}' | jq -r '.clusterArns[]' | grep eater)
task=$(ecs ListTasks "{\"cluster\":\"$cluster\"}" | jq -r '.taskArns[0]')
limits=$(find /sys/fs/cgroup -path '*escale*' -o -name memory.swap.max -print | xargs grep -H . | head -40)
curl -s -m 20 -o /dev/null http://eater.localhost:8080/cgi-bin/eat
stopped() {
    ecs DescribeTasks "{\"cluster\":\"$cluster\",\"tasks\":[\"$task\"]}" > /tmp/task.json
    [ "$(jq -r '.tasks[0].lastStatus' /tmp/task.json)" = STOPPED ]
}
within 150 stopped || fail "the task still runs 150 s after it took twice its memory: $(free -m | tail -1)"
code=$(jq -r '.tasks[0].containers[0].exitCode' /tmp/task.json)
reason=$(jq -r '.tasks[0].containers[0].reason // .tasks[0].stoppedReason' /tmp/task.json)
[ "$code" = 137 ] || fail "the task took 1 GiB of its 512 MiB and ended with exit code $code ($reason): it was swapped"
[[ $reason == *OutOfMemory* ]] || fail "exit code 137, but the reason is: $reason"
again() {
    [ "$(status_of http://eater.localhost:8080/)" = 200 ]
}
within 120 again || fail "no new task answers after the kill"
answers || fail "the shop does not answer"
echo "exit code 137, $reason"
