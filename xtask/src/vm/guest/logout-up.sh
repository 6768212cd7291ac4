[ "$(loginctl show-session "$XDG_SESSION_ID" -p Scope --value)" != "" ] || fail "this login has no session scope"
major=$(basename /usr/lib/postgresql/*)
sudo -H escale up ~/shop --set "database.db.engine=postgres $major" > /tmp/up-dev.out 2>&1 || fail "up: $(tail -1 /tmp/up-dev.out)"
answers || fail "up ended well, but the shop does not answer"
