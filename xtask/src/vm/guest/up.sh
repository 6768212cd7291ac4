started=$(now_ms)
up /root/shop > /tmp/up.out 2>&1 || {
    cat /tmp/up.out
    fail "up: $(grep -v '^ *$' /tmp/up.out | tail -2)"
}
took=$(($(now_ms) - started))
answers || fail "up ended well, but the shop does not answer"
echo "$((took / 1000)) s"
