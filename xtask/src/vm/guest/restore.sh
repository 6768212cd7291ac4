within 5 answers && exit 0
# What failed before may have left it half way.
escale start
within 90 answers && {
    echo "restored by escale start"
    exit 0
}
modprobe overlay
escale reset --yes
up /root/shop || fail "up failed after modprobe overlay and reset: $(up /root/shop 2>&1 | tail -1)"
within 60 answers || fail "the shop does not answer after up: $(tail -1 /root/.local/share/escale/daemon.log)"
echo "restored by modprobe overlay, reset and up"
