out=$(timeout 30 escale status 2>&1)
code=$?
echo "$out"
! grep -qi 'no daemon runs' <<< "$out" || fail "exit $code: $(grep -i -m 1 'no daemon runs' <<< "$out")"
grep -qi -e root -e sudo -e 'another user' <<< "$out" || fail "exit $code, without the reason: $(tail -1 <<< "$out")"
echo "$(grep -i -m 1 -e root -e sudo -e 'another user' <<< "$out")"
