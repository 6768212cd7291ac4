trap 'nft delete table inet vm_check' EXIT
nft -f - << 'N' || fail "cannot set up the firewall"
table inet vm_check {
    chain input {
        type filter hook input priority 0; policy drop;
        iif lo drop
        ct state established,related accept
        tcp dport 22 accept
        udp sport 67 accept
    }
}
N
started=$(now_ms)
out=$(timeout 60 escale status shop 2>&1)
code=$?
took=$(($(now_ms) - started))
echo "$out"
[ $code != 124 ] || fail "status hangs: no answer within 60 s"
[ $code != 0 ] || fail "status says that all is well: $(head -1 <<< "$out")"
[ $took -lt 20000 ] || fail "status took $took ms"
grep -qi 'firewall' <<< "$out" || fail "no hint at a firewall: $(tail -1 <<< "$out")"
echo "$took ms: $(grep -i -m 1 firewall <<< "$out")"
