# The daemon is root's: a user need not see what it runs, but must not be sent away to start another one.
out=$(timeout 30 escale status 2>&1)
code=$?
echo "$out"
[ $code != 124 ] || fail "status hangs"
grep -q sudo <<< "$out" || fail "exit $code, and no word of root's daemon: $(tail -1 <<< "$out")"
echo "exit $code: $(grep -m 1 sudo <<< "$out")"
