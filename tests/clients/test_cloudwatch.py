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
    search = {"Id": "s", "Expression": "SEARCH('{T} M', 'Sum', 60)"}
    with pytest.raises(botocore.exceptions.ClientError, match="SEARCH"):
        read(metrics, search)
    with pytest.raises(botocore.exceptions.ClientError, match="tm900"):
        read(metrics, query("T", "m", "M", "tm900"))


def test_values_survive_a_restart(cloud, metrics):
    space = f"Test/{uuid.uuid4().hex[:8]}"
    put(metrics, space, "Kept", 1, Value=7)
    cloud.escale("stop")
    cloud.escale("start")
    assert read(metrics, query(space, "k", "Kept"))["MetricDataResults"][0]["Values"] == [7]


@pytest.fixture(scope="module")
def fast():
    made = make_cloud()
    made.env["ESCALE_CLOCK_SPEED"] = str(SPEED)
    try:
        made.escale("start")
        yield made.client("cloudwatch")
    finally:
        remove_cloud(made)


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
    assert "ActionsSuppressor" in refusal(fast.put_composite_alarm, AlarmName="page", AlarmRule="TRUE", ActionsSuppressor="load")["Message"]
    fast.delete_alarms(AlarmNames=["page", "load", "maintenance"])


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
