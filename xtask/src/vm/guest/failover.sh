zone() {
    query rds 2014-10-31 DescribeDBInstances | grep -o '<AvailabilityZone>[^<]*' | head -1 | cut -d'>' -f2
}
standby() {
    escale status --json shop | jq -e '.database.status == "available" and (.database.standby_zone | length > 0)' > /dev/null
}
within 60 standby || fail "there is no standby before the failover: $(escale status --json shop | jq -c .database)"
adds_item || fail "no item could be added before"
id=$(jq -r '.id // .item.id' "/tmp/body.$UID")
from=$(zone)
name=$(query rds 2014-10-31 DescribeDBInstances | grep -o '<DBInstanceIdentifier>[^<]*' | head -1 | cut -d'>' -f2)
started=$(now_ms)
query rds 2014-10-31 RebootDBInstance "DBInstanceIdentifier=$name" ForceFailover=true | grep -q RebootDBInstanceResult ||
    fail "RebootDBInstance was refused"
moved() {
    [ "$(zone)" != "$from" ] && adds_item
}
within 120 moved || fail "120 s later: zone $(zone), before $from; POST answers $(status_of -X POST -H 'content-type: application/json' -d '{"name":"x","price_cents":1}' $web/api/items)"
took=$(($(now_ms) - started))
status_of "$web/api/items?limit=1000" > /dev/null
grep -q "\"id\":$id[,}]" "/tmp/body.$UID" || fail "the item $id that was acknowledged is gone"
within 120 standby || fail "no standby again after 120 s: $(escale status --json shop | jq -c .database)"
echo "$from to $(zone): writes go on $took ms later"
