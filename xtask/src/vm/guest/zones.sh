# The tasks of one zone die, as often as it takes placement to get used to it.
within 60 both || fail "before the first recovery: $(zones)"
for round in 1 2; do
    pkill -9 -x shop-backend
    pkill -9 -x shop-frontend
    within 120 both || fail "120 s after recovery $round: $(zones)"
done
within 60 answers || fail "the shop does not answer after two recoveries"
zones
