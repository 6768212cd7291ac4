! grep -q overlay /proc/filesystems || fail "the machine is not fresh: overlay is registered already"
out=$(escale doctor)
code=$?
echo "$out"
[ $code = 0 ] || fail "exit $code: $(echo "$out" | grep MISSING)"
echo "exit 0"
