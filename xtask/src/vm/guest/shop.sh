[ "$(status_of $web/)" = 200 ] && grep -qi '<html' "/tmp/body.$UID" || fail "the page is not served"
[ "$(status_of $web/api/health)" = 200 ] || fail "/api/health does not answer 200"
adds_item || fail "POST /api/items: $(head -c 200 "/tmp/body.$UID")"
id=$(jq -r '.id // .item.id' "/tmp/body.$UID")
[ "$(status_of "$web/api/items?limit=3")" = 200 ] && grep -q '"tea"' "/tmp/body.$UID" || fail "the new item is not listed"
printf '\211PNG\r\n\032\nwhatever' > /tmp/picture.png
[ "$(status_of -X PUT -H 'content-type: image/png' --data-binary @/tmp/picture.png "$web/api/items/$id/picture")" = 201 ] ||
    fail "PUT of a picture: $(head -c 200 "/tmp/body.$UID")"
url=$(jq -r '.url // .picture_url // .picture' "/tmp/body.$UID")
[ "$(status_of "$url")" = 200 ] && cmp -s "/tmp/body.$UID" /tmp/picture.png || fail "the signed URL $url does not show the picture"
[ "$(status_of "${url%%\?*}")" = 403 ] || fail "the picture is shown without a signature"
[ "$(status_of $web/static/shop.css)" = 200 ] && cmp -s "/tmp/body.$UID" /root/shop/frontend/dist/shop.css || fail "the static file differs"
getent hosts shop.localhost > /dev/null || fail "shop.localhost is not found by getent"
times=$(for _ in $(seq 20); do curl -s -o /dev/null -w '%{time_total}\n' "$web/api/items?limit=1"; done | sort -n | sed -n 10p)
echo "median of GET /api/items: $times s"
