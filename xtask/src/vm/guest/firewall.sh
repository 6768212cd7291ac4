trap 'nft delete table inet vm_check; sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0' EXIT
nft -f - << 'N' || fail "cannot set up the firewall"
table inet vm_check {
    chain input {
        type filter hook input priority 0; policy drop;
        ct state established,related accept
        iif lo accept
        tcp dport 22 accept
        udp sport 67 accept
    }
    chain forward { type filter hook forward priority 0; policy drop; }
}
N
sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.default.rp_filter=1
modprobe br_netfilter
answers || fail "the shop does not answer"
adds_item || fail "POST /api/items: $(head -c 200 "/tmp/body.$UID")"
pkill -9 -x shop-frontend
two() {
    escale status --json shop | jq -e 'all(.services[]; .running == .desired)' > /dev/null
}
sleep 1
within 90 two && within 60 answers || fail "tasks that were killed did not come back behind the firewall"
echo "answers; tasks are replaced"
