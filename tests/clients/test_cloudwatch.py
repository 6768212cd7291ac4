"""CloudWatch: values that clients report, metric math, and alarms on an installation whose minutes are three seconds."""

import datetime
import json
import time
import uuid

import botocore.exceptions
import pytest

from conftest import make_cloud, remove_cloud

SPEED = 20


@pytest.fixture(scope="module")
def metrics(cloud):
    return cloud.client("cloudwatch")


def utc(secs):
    return datetime.datetime.fromtimestamp(secs, datetime.timezone.utc)


def minute(ago):
    """The beginning of a minute, some minutes ago."""
    return int(time.time()) // 60 * 60 - 60 * ago


def refusal(call, **arguments):
    with pytest.raises(botocore.exceptions.ClientError) as error:
        call(**arguments)
    return error.value.response["Error"]


def put(metrics, space, name, ago, **value):
    datum = {"MetricName": name, "Timestamp": utc(minute(ago)), "Dimensions": [{"Name": "Shop", "Value": "one"}], **value}
    metrics.put_metric_data(Namespace=space, MetricData=[datum])


def query(space, id, name, stat="Average", **more):
    metric = {"Namespace": space, "MetricName": name, "Dimensions": [{"Name": "Shop", "Value": "one"}]}
    return {"Id": id, "MetricStat": {"Metric": metric, "Period": 60, "Stat": stat}, **more}


def read(metrics, *queries, ago=10, **more):
    window = {"StartTime": utc(minute(ago)), "EndTime": utc(minute(0) + 60)}
    return metrics.get_metric_data(MetricDataQueries=list(queries), ScanBy="TimestampAscending", **window, **more)


def test_values_are_summed_up(metrics):
    space = f"Test/{uuid.uuid4().hex[:8]}"
    put(metrics, space, "Latency", 3, Value=2.0, Unit="Seconds")
    put(metrics, space, "Latency", 3, Values=[4.0, 6.0], Counts=[1, 2], Unit="Seconds")
    put(metrics, space, "Latency", 2, StatisticValues={"SampleCount": 4, "Sum": 8, "Minimum": 1, "Maximum": 5}, Unit="Seconds")
    answer = metrics.get_metric_statistics(
        Namespace=space,
        MetricName="Latency",
        Dimensions=[{"Name": "Shop", "Value": "one"}],
        StartTime=utc(minute(10)),
        EndTime=utc(minute(0)),
        Period=60,
        Statistics=["Sum", "Average", "SampleCount", "Minimum", "Maximum"],
        ExtendedStatistics=["p50", "p99"],
    )
    first, second = answer["Datapoints"]
    assert first["Timestamp"] == utc(minute(3))
    assert (first["SampleCount"], first["Sum"], first["Average"]) == (4, 18, 4.5)
    assert (first["Minimum"], first["Maximum"], first["Unit"]) == (2, 6, "Seconds")
    assert first["ExtendedStatistics"]["p99"] == 6
    assert (second["SampleCount"], second["Sum"], second["Maximum"]) == (4, 8, 5)
    assert "p99" not in second.get("ExtendedStatistics", {}), "a statistic set has no percentiles"


def test_metrics_are_listed_by_name_and_dimension(metrics):
    space = f"Test/{uuid.uuid4().hex[:8]}"
    for shop in ("one", "two"):
        datum = {"MetricName": "Orders", "Value": 1, "Dimensions": [{"Name": "Shop", "Value": shop}]}
        metrics.put_metric_data(Namespace=space, MetricData=[datum, {**datum, "Unit": "Count"}])
    listed = metrics.list_metrics(Namespace=space, MetricName="Orders", RecentlyActive="PT3H")["Metrics"]
    assert [m["Dimensions"][0]["Value"] for m in listed] == ["one", "two"]
    only = metrics.list_metrics(Namespace=space, Dimensions=[{"Name": "Shop", "Value": "two"}])["Metrics"]
    assert only == [listed[1]]
    assert metrics.list_metrics(Namespace=space, Dimensions=[{"Name": "Other"}])["Metrics"] == []


def test_expressions_are_computed(metrics):
    space = f"Test/{uuid.uuid4().hex[:8]}"
    for ago, errors, requests in ((3, 1, 10), (2, 0, 0), (1, 3, 12)):
        put(metrics, space, "Errors", ago, Value=errors)
        put(metrics, space, "Requests", ago, Value=requests)
    answer = read(
        metrics,
        query(space, "errors", "Errors", "Sum", ReturnData=False),
        query(space, "requests", "Requests", "Sum", ReturnData=False),
        {"Id": "rate", "Expression": "100 * errors / requests", "Label": "error rate"},
        {"Id": "filled", "Expression": "FILL(rate, 0)"},
        {"Id": "high", "Expression": "IF(rate > 20, 1, 0)"},
        {"Id": "all", "Expression": "SUM(METRICS())"},
    )
    results = {r["Id"]: r for r in answer["MetricDataResults"]}
    assert results["rate"]["Values"] == [10, 25], "a division by zero is missing"
    assert (results["rate"]["Label"], results["rate"]["StatusCode"]) == ("error rate", "Complete")
    assert results["rate"]["Timestamps"] == [utc(minute(3)), utc(minute(1))]
    assert results["filled"]["Values"][-4:] == [10, 0, 25, 0]
    assert results["high"]["Values"] == [0, 1]
    assert results["all"]["Values"] == [11, 0, 15]


def test_search_finds_metrics_by_name_and_dimension(metrics):
    space = f"Test/{uuid.uuid4().hex[:8]}"
    for service, name, values in (("web", "ErrorCount", (1, 2)), ("api", "ErrorCount", (30, 40)), ("web", "RequestCount", (7, 8))):
        for ago, value in zip((3, 2), values, strict=True):
            dimensions = [{"Name": "Stage", "Value": "test"}, {"Name": "Service", "Value": service}]
            datum = {"MetricName": name, "Timestamp": utc(minute(ago)), "Value": value, "Dimensions": dimensions}
            metrics.put_metric_data(Namespace=space, MetricData=[datum])
    put(metrics, space, "ErrorCount", 3, Value=1000)

    def search(query, period=", 60"):
        return f"SEARCH('{{{space},Service,Stage}} {query}', 'Sum'{period})"

    def results(*queries):
        found = {}
        for result in read(metrics, *queries)["MetricDataResults"]:
            found.setdefault(result["Id"], {})[result["Label"]] = result["Values"]
        return found

    errors = search('MetricName="ErrorCount"')
    found = results(
        {"Id": "errors", "Expression": errors},
        {"Id": "labelled", "Expression": errors, "Label": "errors of"},
        {"Id": "words", "Expression": search("count NOT api")},
        {"Id": "either", "Expression": search("Service=(api OR nothing) OR request")},
        {"Id": "total", "Expression": f"SUM({errors})", "Label": "all"},
        {"Id": "rest", "Expression": "100 * errors / total"},
        {"Id": "top", "Expression": "SLICE(SORT(errors, MAX, DESC), 0, 1)"},
        {"Id": "long", "Expression": search("request", ""), "Period": 60},
        {"Id": "none", "Expression": search("nothing")},
    )
    assert found["errors"] == {"web": [1, 2], "api": [30, 40]}
    assert found["labelled"] == {"errors of web": [1, 2], "errors of api": [30, 40]}
    assert found["words"] == {"ErrorCount": [1, 2], "RequestCount": [7, 8]}
    assert found["either"] == {"api ErrorCount": [30, 40], "web RequestCount": [7, 8]}
    assert found["total"] == {"all": [31, 42]}
    assert found["rest"] == {"web": [pytest.approx(100 / 31), pytest.approx(200 / 42)], "api": [pytest.approx(3000 / 31), pytest.approx(4000 / 42)]}
    assert found["top"] == {"api": [30, 40]}
    assert found["long"] == {"RequestCount": [7, 8]}
    assert "none" not in found
    other = results({"Id": "any", "Expression": f"SEARCH('Namespace=\"{space}\" ErrorCount', 'Sum', 60)"})
    assert sorted(sum(values) for values in other["any"].values()) == [3, 70, 1000]


def test_long_answers_are_paged(metrics):
    space = f"Test/{uuid.uuid4().hex[:8]}"
    for ago in range(1, 6):
        put(metrics, space, "A", ago, Value=ago)
    values, token = [], {}
    for _ in range(3):
        page = read(metrics, query(space, "a", "A"), MaxDatapoints=2, **token)
        values += page["MetricDataResults"][0]["Values"]
        token = {"NextToken": page["NextToken"]} if "NextToken" in page else {}
    assert (values, token) == ([5, 4, 3, 2, 1], {})


def test_what_aws_refuses_is_refused(metrics):
    value = {"MetricName": "M", "Value": 1}
    put_data = metrics.put_metric_data
    assert refusal(put_data, Namespace="AWS/ECS", MetricData=[value])["Code"] == "InvalidParameterValue"
    old = {**value, "Timestamp": utc(time.time() - 15 * 86400)}
    assert "two weeks" in refusal(put_data, Namespace="T", MetricData=[old])["Message"]
    assert refusal(put_data, Namespace="T", MetricData=[{"MetricName": "M"}])["Code"] == "MissingParameter"
    many = {**value, "Dimensions": [{"Name": f"d{i}", "Value": "x"} for i in range(31)]}
    assert "30" in refusal(put_data, Namespace="T", MetricData=[many])["Message"]
    window = {"StartTime": utc(minute(3000)), "EndTime": utc(minute(0)), "Period": 60, "Statistics": ["Sum"]}
    many = refusal(metrics.get_metric_statistics, Namespace="T", MetricName="M", **window)
    assert (many["Code"], "1,440" in many["Message"] or "1440" in many["Message"]) == ("InvalidParameterCombination", True)
    with pytest.raises(botocore.exceptions.ClientError, match="query of SEARCH is not valid"):
        read(metrics, {"Id": "s", "Expression": "SEARCH('{T M', 'Sum', 60)"})
    search = {"Id": "s", "Expression": "SUM(SEARCH('{T} M', 'Sum', 60))"}
    alarm = {"AlarmName": "s", "EvaluationPeriods": 1, "Threshold": 1, "ComparisonOperator": "GreaterThanThreshold", "Metrics": [search]}
    assert "SEARCH is not supported on Metric Alarms" in refusal(metrics.put_metric_alarm, **alarm)["Message"]
    with pytest.raises(botocore.exceptions.ClientError, match="tm900"):
        read(metrics, query("T", "m", "M", "tm900"))


def test_values_survive_a_restart(cloud, metrics):
    space = f"Test/{uuid.uuid4().hex[:8]}"
    put(metrics, space, "Kept", 1, Value=7)
    cloud.escale("stop")
    cloud.escale("start")
    assert read(metrics, query(space, "k", "Kept"))["MetricDataResults"][0]["Values"] == [7]


@pytest.fixture(scope="module")
def fast_cloud():
    made = make_cloud()
    made.env["ESCALE_CLOCK_SPEED"] = str(SPEED)
    try:
        made.escale("start")
        yield made
    finally:
        remove_cloud(made)


@pytest.fixture(scope="module")
def fast(fast_cloud):
    return fast_cloud.client("cloudwatch")


def wait_for(read, expected, within=25):
    deadline = time.monotonic() + within
    while (found := read()) != expected:
        assert time.monotonic() < deadline, f"{found} is not {expected}"
        time.sleep(0.3)


def state(metrics, name):
    return metrics.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["StateValue"]


def test_alarm_follows_its_metric(fast):
    space = f"Test/{uuid.uuid4().hex[:8]}"
    alarm = {
        "Namespace": space, "MetricName": "Load", "Statistic": "Maximum", "Period": 60, "EvaluationPeriods": 2,
        "DatapointsToAlarm": 1, "Threshold": 50, "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "notBreaching",
    }
    fast.put_metric_alarm(AlarmName="load", AlarmDescription="too much", Tags=[{"Key": "a", "Value": "b"}], **alarm)
    wait_for(lambda: state(fast, "load"), "OK")
    fast.put_metric_data(Namespace=space, MetricData=[{"MetricName": "Load", "Value": 99}])
    wait_for(lambda: state(fast, "load"), "ALARM")
    shown = fast.describe_alarms(AlarmNamePrefix="lo", StateValue="ALARM")["MetricAlarms"][0]
    assert "99.0" in shown["StateReason"] and "greater than the threshold (50.0)" in shown["StateReason"]
    # The value leaves the evaluated periods.
    wait_for(lambda: state(fast, "load"), "OK")
    history = fast.describe_alarm_history(AlarmName="load", HistoryItemType="StateUpdate", ScanBy="TimestampAscending")
    summaries = [item["HistorySummary"] for item in history["AlarmHistoryItems"]]
    assert summaries[:3] == [
        "Alarm updated from INSUFFICIENT_DATA to OK",
        "Alarm updated from OK to ALARM",
        "Alarm updated from ALARM to OK",
    ]
    of_metric = fast.describe_alarms_for_metric(Namespace=space, MetricName="Load")["MetricAlarms"]
    assert [a["AlarmName"] for a in of_metric] == ["load"]
    assert fast.list_tags_for_resource(ResourceARN=shown["AlarmArn"])["Tags"] == [{"Key": "a", "Value": "b"}]
    fast.delete_alarms(AlarmNames=["load"])
    assert fast.describe_alarms(AlarmNames=["load"])["MetricAlarms"] == []


def test_alarm_on_an_expression(fast):
    space = f"Test/{uuid.uuid4().hex[:8]}"
    queries = [
        query(space, "errors", "Errors", "Sum", ReturnData=False),
        query(space, "requests", "Requests", "Sum", ReturnData=False),
        {"Id": "rate", "Expression": "errors / requests"},
    ]
    fast.put_metric_alarm(
        AlarmName="rate", Metrics=queries, EvaluationPeriods=1, Threshold=0.2, ComparisonOperator="GreaterThanOrEqualToThreshold"
    )
    wait_for(lambda: state(fast, "rate"), "INSUFFICIENT_DATA")
    dimensions = [{"Name": "Shop", "Value": "one"}]
    for name, value in (("Errors", 3), ("Requests", 10)):
        fast.put_metric_data(Namespace=space, MetricData=[{"MetricName": name, "Value": value, "Dimensions": dimensions}])
    wait_for(lambda: state(fast, "rate"), "ALARM")
    fast.delete_alarms(AlarmNames=["rate"])


def test_composite_alarm_follows_other_alarms(fast):
    for name in ("load", "maintenance"):
        fast.put_metric_alarm(
            AlarmName=name, Namespace="Test/composite", MetricName=name, Statistic="Maximum", Period=60, EvaluationPeriods=1,
            Threshold=50, ComparisonOperator="GreaterThanThreshold", TreatMissingData="ignore",
        )
    rule = 'ALARM(load) AND NOT ALARM("maintenance")'
    fast.put_composite_alarm(AlarmName="page", AlarmRule=rule, AlarmDescription="wakes somebody", Tags=[{"Key": "a", "Value": "b"}])
    shown = lambda: fast.describe_alarms(AlarmNames=["page"], AlarmTypes=["CompositeAlarm"])["CompositeAlarms"][0]
    wait_for(lambda: shown()["StateValue"], "OK")
    assert shown()["AlarmRule"] == rule and shown()["StateReason"].endswith("was created and its alarm rule evaluates to OK")
    # A metric makes the child an alarm, and that the parent.
    fast.put_metric_data(Namespace="Test/composite", MetricData=[{"MetricName": "load", "Value": 99}])
    wait_for(lambda: shown()["StateValue"], "ALARM")
    assert ":alarm:load transitioned to ALARM at " in shown()["StateReason"]
    [child] = json.loads(shown()["StateReasonData"])["triggeringAlarms"]
    assert child["arn"].endswith(":alarm:load") and child["state"]["value"] == "ALARM"
    fast.set_alarm_state(AlarmName="maintenance", StateValue="ALARM", StateReason="a window")
    wait_for(lambda: shown()["StateValue"], "OK")
    fast.put_composite_alarm(AlarmName="page", AlarmRule="ALARM(load)")
    wait_for(lambda: shown()["StateValue"], "ALARM")
    history = fast.describe_alarm_history(AlarmName="page", AlarmTypes=["CompositeAlarm"], HistoryItemType="StateUpdate", ScanBy="TimestampAscending")
    summaries = [(item["AlarmType"], item["HistorySummary"].removeprefix("Alarm updated from ")) for item in history["AlarmHistoryItems"]]
    assert summaries == [("CompositeAlarm", change) for change in ("INSUFFICIENT_DATA to OK", "OK to ALARM", "ALARM to OK", "OK to ALARM")]
    assert fast.list_tags_for_resource(ResourceARN=shown()["AlarmArn"])["Tags"] == [{"Key": "a", "Value": "b"}]
    assert fast.describe_alarms(AlarmNames=["page"])["MetricAlarms"] == [], "without types, metric alarms only"
    cycle = refusal(fast.put_composite_alarm, AlarmName="page", AlarmRule="OK(page)")
    assert cycle["Code"] == "ValidationError" and "depend on itself" in cycle["Message"]
    assert "load" in refusal(fast.delete_alarms, AlarmNames=["load"])["Message"]
    fast.delete_alarms(AlarmNames=["page", "load", "maintenance"])


def test_suppressor_holds_the_actions_of_a_composite_alarm(fast, fast_cloud):
    topic = fast_cloud.client("sns").create_topic(Name="alerts")["TopicArn"]
    for name in ("a", "b", "c", "window"):
        fast.put_metric_alarm(
            AlarmName=name, Namespace="Test/suppressed", MetricName=name, Statistic="Maximum", Period=60, EvaluationPeriods=1,
            Threshold=50, ComparisonOperator="GreaterThanThreshold", TreatMissingData="ignore",
        )

    def enter(name, state):
        fast.set_alarm_state(AlarmName=name, StateValue=state, StateReason="a test")

    for name in ("a", "b", "c", "window"):
        enter(name, "OK")
    alarm = {"AlarmName": "most", "AlarmRule": "AT_LEAST(2, ALARM, (a, b, c))", "AlarmActions": [topic], "OKActions": [topic]}
    fast.put_composite_alarm(**alarm)
    shown = lambda: fast.describe_alarms(AlarmNames=["most"], AlarmTypes=["CompositeAlarm"])["CompositeAlarms"][0]
    wait_for(lambda: shown()["StateValue"], "OK")
    # The minutes of this installation are three seconds.
    periods = {"ActionsSuppressorWaitPeriod": 40, "ActionsSuppressorExtensionPeriod": 60}
    fast.put_composite_alarm(**alarm, ActionsSuppressor="window", **periods)
    assert (shown()["ActionsSuppressor"], shown()["ActionsSuppressorWaitPeriod"], "ActionsSuppressedBy" in shown()) == ("window", 40, False)

    def actions():
        history = fast.describe_alarm_history(AlarmName="most", AlarmTypes=["CompositeAlarm"], HistoryItemType="Action")
        return len(history["AlarmHistoryItems"])

    before = actions()
    enter("window", "ALARM")
    wait_for(lambda: shown().get("ActionsSuppressedBy"), "Alarm")
    enter("a", "ALARM")
    enter("b", "ALARM")
    wait_for(lambda: shown()["StateValue"], "ALARM")
    assert ":alarm:window, which is in ALARM" in shown()["ActionsSuppressedReason"]
    assert actions() == before
    enter("window", "OK")
    wait_for(lambda: shown().get("ActionsSuppressedBy"), "ExtensionPeriod")
    wait_for(lambda: shown().get("ActionsSuppressedBy"), None)
    assert actions() == before + 1, "the actions follow when nothing suppresses them any more"
    enter("a", "OK")
    wait_for(lambda: shown().get("ActionsSuppressedBy"), "WaitPeriod")
    enter("a", "ALARM")
    wait_for(lambda: (shown()["StateValue"], shown().get("ActionsSuppressedBy")), ("ALARM", None))
    assert actions() == before + 1, "the alarm came back while its actions waited"
    assert "names it" in refusal(fast.delete_alarms, AlarmNames=["window"])["Message"]
    needed = refusal(fast.put_composite_alarm, **alarm, ActionsSuppressor="window")
    assert needed["Code"] == "ValidationError" and "ActionsSuppressorWaitPeriod" in needed["Message"]
    wrong = refusal(fast.put_composite_alarm, AlarmName="most", AlarmRule="AT_LEAST(4, ALARM, (a, b, c))")
    assert "1 to 3" in wrong["Message"]
    fast.delete_alarms(AlarmNames=["most"])
    fast.delete_alarms(AlarmNames=["a", "b", "c", "window"])


def test_trimmed_statistics_leave_values_out(metrics):
    space = f"Test/{uuid.uuid4().hex[:8]}"
    put(metrics, space, "Latency", 3, Values=[float(n) for n in range(1, 11)])
    expected = {"tm90": 5, "IQM": 5.5, "TC(2:4)": 2, "TS(80%:)": 19, "PR(:3)": 30, "wm80": 5.2}
    queries = [query(space, f"m{i}", "Latency", stat) for i, stat in enumerate(expected)]
    found = {r["Id"]: r["Values"] for r in read(metrics, *queries)["MetricDataResults"]}
    assert [found[f"m{i}"] for i in range(len(expected))] == [[pytest.approx(value)] for value in expected.values()]
    one = metrics.get_metric_statistics(
        Namespace=space, MetricName="Latency", Dimensions=[{"Name": "Shop", "Value": "one"}], StartTime=utc(minute(10)), EndTime=utc(minute(0)),
        Period=60, ExtendedStatistics=["tm90"],
    )
    assert one["Datapoints"][0]["ExtendedStatistics"] == {"tm90": pytest.approx(5)}
