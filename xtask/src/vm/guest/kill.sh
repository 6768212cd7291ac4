pid=$(daemon_pid)
before=$(processes)
adds_item || fail "no item could be added before"
id=$(jq -r '.id // .item.id' "/tmp/body.$UID")
kill -9 "$pid"
started=$(now_ms)
escale start > /tmp/start.out 2>&1 || fail "start: $(tail -1 /tmp/start.out)"
within 60 answers || fail "the shop does not answer 60 s after the next start"
took=$(($(now_ms) - started))
[ "$(daemon_pid)" != "$pid" ] || fail "the daemon was not killed"
# Programs that the daemon runs for a moment at its start, to ask their version, are gone soon.
same() { [ "$(processes)" = "$before" ]; }
within 30 same || fail "other processes than before: $before, now $(processes)"
status_of "$web/api/items?limit=1000" > /dev/null
grep -q "\"id\":$id[,}]" "/tmp/body.$UID" || fail "the item $id that was acknowledged is gone"
echo "answers $took ms later; same tasks and databases"
