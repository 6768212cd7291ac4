"""CloudWatch Logs: groups, streams, events and paging. The logs of tasks are tested in test_ecs.py."""

import subprocess
import time
import uuid

import botocore.exceptions
import pytest

DAY_MS = 24 * 3600 * 1000


@pytest.fixture(scope="module")
def logs(cloud):
    return cloud.client("logs")


@pytest.fixture
def group(logs):
    """Creates a log group and returns its name."""
    name = f"/test/{uuid.uuid4().hex[:8]}"
    logs.create_log_group(logGroupName=name)
    yield name
    try:
        logs.delete_log_group(logGroupName=name)
    except logs.exceptions.ResourceNotFoundException:
        pass


def now_ms():
    return int(time.time() * 1000)


def put(logs, group, stream, *messages, first=None):
    """Writes events one millisecond apart. Creates the stream if it does not exist."""
    try:
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
    except logs.exceptions.ResourceAlreadyExistsException:
        pass
    first = now_ms() - 1000 if first is None else first
    events = [{"timestamp": first + i, "message": m} for i, m in enumerate(messages)]
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
    return first


def texts(answer):
    return [e["message"] for e in answer["events"]]


def refusal(call, **arguments):
    with pytest.raises(botocore.exceptions.ClientError) as error:
        call(**arguments)
    return error.value.response["Error"]


def test_events_are_read_forward_and_backward(logs, group):
    put(logs, group, "s", *(f"event {i}" for i in range(10)))
    read = {"logGroupName": group, "logStreamName": "s", "limit": 4}
    pages, token = [], {"startFromHead": True}
    for _ in range(3):
        page = logs.get_log_events(**read, **token)
        pages.append(texts(page))
        token = {"nextToken": page["nextForwardToken"]}
    assert pages == [[f"event {i}" for i in some] for some in (range(4), range(4, 8), range(8, 10))]
    # At the end of the stream the same token is returned until there are more events.
    end = logs.get_log_events(**read, **token)
    assert texts(end) == [] and end["nextForwardToken"] == token["nextToken"]
    put(logs, group, "s", "late", first=now_ms())
    assert texts(logs.get_log_events(**read, **token)) == ["late"]
    back = logs.get_log_events(**read, nextToken=page["nextBackwardToken"])
    assert texts(back) == [f"event {i}" for i in range(4, 8)]
    # Without a start, GetLogEvents reads the newest events.
    assert texts(logs.get_log_events(**read)) == ["event 7", "event 8", "event 9", "late"]
    assert refusal(logs.get_log_events, **read, nextToken="f/nonsense")["Code"] == "InvalidParameterException"


def test_start_time_is_inclusive_and_end_time_exclusive(logs, group):
    first = put(logs, group, "s", "a", "b", "c", "d")
    read = {"logGroupName": group, "logStreamName": "s", "startFromHead": True}
    assert texts(logs.get_log_events(**read, startTime=first + 1, endTime=first + 3)) == ["b", "c"]
    assert texts(logs.get_log_events(**read, startTime=first + 4)) == []
    # For FilterLogEvents the end time is inclusive too.
    found = logs.filter_log_events(logGroupName=group, startTime=first + 1, endTime=first + 3)
    assert texts(found) == ["b", "c", "d"]


def test_filter_returns_events_of_all_streams_ordered_by_time(logs, group):
    first = now_ms() - 5000
    put(logs, group, "web/1", "GET /a 200", "GET /b 500", first=first)
    put(logs, group, "web/2", "GET /c 500 slow", "POST /d 200", first=first + 2)
    put(logs, group, "job/1", "ERROR out of memory", first=first + 5)

    def found(pattern=None, **more):
        filters = {"filterPattern": pattern} if pattern else {}
        return texts(logs.filter_log_events(logGroupName=group, **filters, **more))

    assert found() == ["GET /a 200", "GET /b 500", "GET /c 500 slow", "POST /d 200", "ERROR out of memory"]
    assert found("GET 500") == ["GET /b 500", "GET /c 500 slow"]
    assert found("GET 500 -slow") == ["GET /b 500"]
    assert found('"out of memory"') == ["ERROR out of memory"]
    assert found("?POST ?ERROR") == ["POST /d 200", "ERROR out of memory"]
    assert found("error") == []  # terms are case-sensitive
    assert found("500", logStreamNamePrefix="web/2") == ["GET /c 500 slow"]
    assert found(logStreamNames=["job/1", "web/1"]) == ["GET /a 200", "GET /b 500", "ERROR out of memory"]
    assert refusal(logs.filter_log_events, logGroupName=group, filterPattern="{ $.a = 1 }")["Code"] == "NotImplemented"
    # The SDK's paginator gets every event exactly once.
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, PaginationConfig={"PageSize": 2})
    events = [e for page in pages for e in page["events"]]
    assert [e["message"] for e in events] == found() and len({e["eventId"] for e in events}) == 5
    assert [e["logStreamName"] for e in events] == ["web/1", "web/1", "web/2", "web/2", "job/1"]
    assert all(e["ingestionTime"] >= e["timestamp"] for e in events)


def test_rejects_events_that_are_too_old_or_too_new(logs, group):
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    now = now_ms()

    def rejected(*times):
        events = [{"timestamp": t, "message": "x"} for t in times]
        return logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=events).get("rejectedLogEventsInfo")

    assert rejected(now - 15 * DAY_MS) == {"tooOldLogEventEndIndex": 1}
    assert rejected(now, now + DAY_MS // 8) == {"tooNewLogEventStartIndex": 1}
    assert rejected(now) is None
    assert len(texts(logs.get_log_events(logGroupName=group, logStreamName="s"))) == 2


@pytest.mark.parametrize("events, expected", [
    ([(0, "late"), (-5, "early")], "chronological order"),
    ([(-DAY_MS - 10, "first"), (0, "last")], "24 hours"),
    ([(0, "x" * 1_048_551)], "1048576 bytes"),
])
def test_one_invalid_event_fails_the_whole_batch(logs, group, events, expected):
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    now = now_ms()
    events = [{"timestamp": now + at, "message": message} for at, message in events]
    error = refusal(logs.put_log_events, logGroupName=group, logStreamName="s", logEvents=events)
    assert error["Code"] == "InvalidParameterException" and expected in error["Message"], error
    assert logs.get_log_events(logGroupName=group, logStreamName="s")["events"] == []


def test_groups_and_streams_are_listed_page_by_page(logs, group):
    names = [f"{group}/{i}" for i in range(5)]
    for name in names:
        logs.create_log_group(logGroupName=name, tags={"team": "shop"})
    pages = list(logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=f"{group}/", PaginationConfig={"PageSize": 2}))
    assert [[g["logGroupName"] for g in p["logGroups"]] for p in pages] == [names[:2], names[2:4], names[4:]]
    arn = pages[0]["logGroups"][0]["arn"]
    assert arn.endswith(f":log-group:{names[0]}:*")
    assert logs.list_tags_for_resource(resourceArn=arn.removesuffix(":*"))["tags"] == {"team": "shop"}

    first = now_ms() - 9000
    for i, stream in enumerate(["b", "a", "c"]):
        put(logs, group, stream, "x", "y", first=first + 1000 * i)

    def streams(**how):
        pages = logs.get_paginator("describe_log_streams").paginate(logGroupName=group, PaginationConfig={"PageSize": 2}, **how)
        return [s for page in pages for s in page["logStreams"]]

    assert [s["logStreamName"] for s in streams()] == ["a", "b", "c"]
    by_time = streams(orderBy="LastEventTime", descending=True)
    assert [s["logStreamName"] for s in by_time] == ["c", "a", "b"]
    assert (by_time[-1]["firstEventTimestamp"], by_time[-1]["lastEventTimestamp"]) == (first, first + 1)
    for name in names:
        logs.delete_log_group(logGroupName=name)


def test_accepts_only_retention_periods_of_aws(logs, group):
    def retention():
        return logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0].get("retentionInDays")

    assert retention() is None
    logs.put_retention_policy(logGroupName=group, retentionInDays=7)
    assert retention() == 7
    assert refusal(logs.put_retention_policy, logGroupName=group, retentionInDays=8)["Code"] == "InvalidParameterException"
    # An event that is older than the retention period is rejected.
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    event = {"timestamp": now_ms() - 8 * DAY_MS, "message": "x"}
    answer = logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=[event])
    assert answer["rejectedLogEventsInfo"] == {"expiredLogEventEndIndex": 1}
    logs.delete_retention_policy(logGroupName=group)
    assert retention() is None


def test_deleted_streams_and_groups_start_empty_when_created_again(logs, group):
    put(logs, group, "s", "old")
    logs.delete_log_stream(logGroupName=group, logStreamName="s")
    missing = {"logGroupName": group, "logStreamName": "s"}
    assert refusal(logs.get_log_events, **missing)["Code"] == "ResourceNotFoundException"
    put(logs, group, "s", "new")
    assert texts(logs.get_log_events(**missing)) == ["new"]
    assert refusal(logs.create_log_group, logGroupName=group)["Code"] == "ResourceAlreadyExistsException"

    logs.delete_log_group(logGroupName=group)
    event = [{"timestamp": now_ms(), "message": "x"}]
    for call, arguments in [
        (logs.delete_log_group, {"logGroupName": group}),
        (logs.filter_log_events, {"logGroupName": group}),
        (logs.create_log_stream, missing),
        (logs.put_log_events, {**missing, "logEvents": event}),
    ]:
        error = refusal(call, **arguments)
        assert (error["Code"], error["Message"]) == ("ResourceNotFoundException", "The specified log group does not exist.")
    logs.create_log_group(logGroupName=group)
    assert logs.describe_log_streams(logGroupName=group)["logStreams"] == []
    assert texts(logs.filter_log_events(logGroupName=group)) == []


def test_acknowledged_events_survive_a_killed_daemon(own_cloud):
    client = own_cloud.client("logs")
    client.create_log_group(logGroupName="kept")
    put(client, "kept", "s", "acknowledged")
    subprocess.run(["kill", "-9", str(own_cloud.status()["daemon"]["pid"])], check=True)
    own_cloud.escale("start")
    assert texts(client.get_log_events(logGroupName="kept", logStreamName="s")) == ["acknowledged"]
