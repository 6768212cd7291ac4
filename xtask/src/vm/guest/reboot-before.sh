escale service install > /tmp/service.out 2>&1 || fail "service install: $(tail -1 /tmp/service.out)"
systemctl is-enabled escale > /dev/null || fail "the unit escale is not enabled"
within 60 systemctl is-active --quiet escale || fail "the unit escale is $(systemctl is-active escale)"
within 60 answers || fail "the shop does not answer after service install"
adds_item || fail "no item could be added"
jq -r '.id // .item.id' "/tmp/body.$UID" > /root/item
date +%s > /root/reboot-at
sync
