# The tasks of one zone die, as often as it takes placement to get used to it.
zones() {
    local cluster
    cluster=$(ecs ListClusters '{}' | jq -r '.clusterArns[]' | grep shop)
    ecs DescribeTasks "{\"cluster\":\"$cluster\",\"tasks\":$(ecs ListTasks "{\"cluster\":\"$cluster\"}" | jq -c .taskArns)}" |
        jq -c '[.tasks[] | select(.lastStatus == "RUNNING") | {group, availabilityZone}] | group_by(.group)
            | map({(.[0].group): (map(.availabilityZone) | sort)}) | add'
}
both() {
    zones | jq -e 'length == 2 and all(.[]; length == 2 and .[0] != .[1])' > /dev/null
}
within 60 both || fail "before the first recovery: $(zones)"
for round in 1 2; do
    pkill -9 -x shop-backend
    pkill -9 -x shop-frontend
    within 120 both || fail "120 s after recovery $round: $(zones)"
done
within 60 answers || fail "the shop does not answer after two recoveries"
zones
