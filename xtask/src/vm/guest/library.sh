# Precedes every script. A script prints its figure last and exits 0, or prints the reason last and exits 1.
set -u
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
web=http://shop.localhost:8080

fail() {
    echo "$*"
    exit 1
}

# The status of an HTTP request; the body goes to /tmp/body.$UID.
status_of() {
    curl -s -m 60 -o "/tmp/body.$UID" -w '%{http_code}' "$@"
}

answers() {
    [ "$(status_of $web/)" = 200 ] && [ "$(status_of "$web/api/items?limit=1")" = 200 ]
}

adds_item() {
    [ "$(status_of -X POST -H 'content-type: application/json' -d '{"name":"tea","price_cents":350}' $web/api/items)" = 201 ]
}

# An emulated processor beside other work: what takes a second on the metal takes some twenty.
slow=4

# within SECONDS COMMAND…: until the command succeeds; the seconds are those of a machine without other work.
within() {
    local end=$((SECONDS + $1 * slow))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.5
    done
}

now_ms() {
    date +%s%3N
}

# The version of PostgreSQL that this Debian has, when it is not the manifest's.
up() {
    local major
    major=$(basename /usr/lib/postgresql/*)
    escale up "$1" --set "database.db.engine=postgres $major"
}

daemon_pid() {
    escale status --json shop | jq -r .daemon.pid
}

tasks() {
    escale status --json shop | jq -c '[.services[].tasks[]] | map(.id // .task // .arn // .) | sort'
}

# The processes of the shop's tasks and of its databases, but not the children that servers start and end.
processes() {
    { pgrep -x shop-backend; pgrep -x shop-frontend; pgrep -x postgres | while read -r pid; do
        [ "$(ps -o comm= -p "$(ps -o ppid= -p "$pid" | tr -d ' ')" 2> /dev/null)" = postgres ] || echo "$pid"
    done; } | sort -n | tr '\n' ' '
}

all_alive() {
    local pid
    for pid in "$@"; do
        [ -d "/proc/$pid" ] || return 1
    done
}

# The root key; there is none before the first start.
eval "$(escale env 2> /dev/null)"
: "${AWS_ACCESS_KEY_ID:=none}" "${AWS_SECRET_ACCESS_KEY:=none}"

# query SERVICE VERSION OPERATION [MEMBER=VALUE…]: a request of the query protocol; prints the answer.
query() {
    local service=$1 version=$2 operation=$3
    shift 3
    curl -s -m 60 --aws-sigv4 "aws:amz:eu-west-3:$service" --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" \
        -d "Action=$operation&Version=$version$(printf '&%s' "$@")" http://127.0.0.1:4566/
}

# ecs OPERATION JSON
ecs() {
    curl -s -m 60 --aws-sigv4 aws:amz:eu-west-3:ecs --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" \
        -H 'content-type: application/x-amz-json-1.1' -H "x-amz-target: AmazonEC2ContainerServiceV20141113.$1" \
        -d "$2" http://127.0.0.1:4566/
}

# In which zones each service's tasks run.
zones() {
    local cluster
    cluster=$(ecs ListClusters '{}' | jq -r '.clusterArns[]' | grep shop)
    ecs DescribeTasks "{\"cluster\":\"$cluster\",\"tasks\":$(ecs ListTasks "{\"cluster\":\"$cluster\"}" | jq -c .taskArns)}" |
        jq -c '[.tasks[] | select(.lastStatus == "RUNNING") | {group, availabilityZone}] | group_by(.group)
            | map({(.[0].group): (map(.availabilityZone) | sort)}) | add'
}
both() {
    zones | jq -e 'length == 2 and all(.[]; length == 2 and .[0] != .[1])' > /dev/null
}
