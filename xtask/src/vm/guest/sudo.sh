[ ! -e ~/.local ] || fail "the home is not fresh: ~/.local is there"
sudo HOME="$HOME" "$(command -v escale)" start > /tmp/start-dev.out 2>&1 || fail "start: $(tail -1 /tmp/start-dev.out)"
owner=$(stat -c %U ~/.local 2> /dev/null || echo nobody)
sudo HOME="$HOME" escale reset --yes > /dev/null 2>&1
[ "$owner" != root ] || fail "~/.local belongs to root: other programs of dev cannot write there"
echo "~/.local: $owner"
