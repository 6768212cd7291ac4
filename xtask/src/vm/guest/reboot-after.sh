within 300 answers || fail "the shop does not answer $(cut -d. -f1 /proc/uptime) s after the boot: $(systemctl is-active escale), $(tail -1 $HOME/.local/share/escale/daemon.log | tail -c 200)"
back=$(cut -d. -f1 /proc/uptime)
id=$(cat /root/item)
status_of "$web/api/items?limit=1000" > /dev/null
grep -q "\"id\":$id[,}]" "/tmp/body.$UID" || fail "the item $id that was acknowledged before the reboot is gone"
# Two recoveries in a row: after a reboot all tasks are new.
within 120 both || fail "120 s after the recovery the tasks of a service share a zone: $(zones)"
last=$(journalctl -b -1 -o short-unix -n 1 --no-pager | cut -d. -f1)
down=$((last - $(cat /root/reboot-at)))
[ "$down" -lt 60 ] || fail "the shutdown took $down s"
echo "shutdown $down s, the shop answers $back s after the boot"
