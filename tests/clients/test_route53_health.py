"""Route 53 health checks of real servers on the cloud's Internet, and records that are answered from them under load."""

import pathlib
import subprocess
import sys
import threading
import time
import uuid

import pytest

from conftest import eventually
from test_route53 import change, dig, record, refused, refused_change, route53, zone  # noqa: F401, fixtures

OUTSIDE = "198.18.200.1"
SERVERS = pathlib.Path(__file__).with_name("outside_servers.py")


class Servers:
    """Servers at the ports of one address, run inside a network namespace."""

    def __init__(self, namespace, address, ports):
        command = ["nsenter", f"--net={namespace}", sys.executable, SERVERS, address, *map(str, ports)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def set(self, port, change):
        """Sets the status of answers, or opens or closes a port. Returns how many requests the port got."""
        self.process.stdin.write(f"{port} {change}\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def stop(self):
        self.process.stdin.close()
        self.process.kill()
        self.process.wait()


@pytest.fixture
def servers(cloud):
    started = Servers(f"{cloud.home}/network/netns/hosts/outside", OUTSIDE, range(8001, 8004))
    yield started
    started.stop()


@pytest.fixture
def checks(route53):  # noqa: F811
    """Creates health checks that are deleted at the end, the newest first."""
    made = []

    def create(**config):
        answer = route53.create_health_check(CallerReference=uuid.uuid4().hex, HealthCheckConfig=config)
        made.append(answer["HealthCheck"]["Id"])
        return made[-1]

    yield create
    for one in reversed(made):
        route53.delete_health_check(HealthCheckId=one)


def http_check(port, **more):
    return {"Type": "HTTP", "IPAddress": OUTSIDE, "Port": port, "RequestInterval": 10, "FailureThreshold": 1, **more}


def status(route53, check):  # noqa: F811
    found = route53.get_health_check_status(HealthCheckId=check)["HealthCheckObservations"]
    return found[0]["StatusReport"]["Status"] if found else ""


def until(route53, check, word, within=30):  # noqa: F811
    return eventually(lambda: status(route53, check) if status(route53, check).startswith(word) else None, within=within)


class Asking:
    """Asks for a name all the time while a block runs; remembers each answer."""

    def __init__(self, cloud, name):
        self.cloud, self.name, self.answers, self.over = cloud, name, [], threading.Event()
        self.thread = threading.Thread(target=self.work)

    def work(self):
        while not self.over.is_set():
            self.answers.append(tuple(sorted(dig(self.cloud, self.name))))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    def until(self, wanted, within=25):
        """Waits until the wanted answer, and returns the seconds that it took."""
        began = time.monotonic()
        eventually(lambda: self.answers and self.answers[-1] == wanted, within=within)
        return time.monotonic() - began


def test_failover_follows_the_primarys_health_under_load(cloud, route53, zone, servers, checks):  # noqa: F811
    zone_id, name = zone
    name = "www." + name
    primary, secondary = checks(**http_check(8001)), checks(**http_check(8002))
    sets = [
        record(name, "A", "192.0.2.1", SetIdentifier="one", Failover="PRIMARY", HealthCheckId=primary),
        record(name, "A", "192.0.2.2", SetIdentifier="two", Failover="SECONDARY", HealthCheckId=secondary),
    ]
    change(route53, zone_id, *[("CREATE", s) for s in sets])
    until(route53, primary, "Success: HTTP Status Code 200, OK")
    third = {**sets[0], "SetIdentifier": "three"}
    assert refused_change(route53, zone_id, ("CREATE", third))["Code"] == "InvalidChangeBatch"
    with Asking(cloud, name) as asking:
        asking.until(("192.0.2.1",))
        servers.set(8001, 503)
        assert asking.until(("192.0.2.2",)) < 12
        assert status(route53, primary) == "Failure: HTTP Status Code 503, Service Unavailable"
        # Without a healthy one, the primary is answered.
        servers.set(8002, "close")
        asking.until(("192.0.2.1",))
        assert status(route53, secondary).startswith("Failure: Connection failed: Connection refused")
        servers.set(8002, "open")
        asking.until(("192.0.2.2",))
        servers.set(8001, 301)
        asking.until(("192.0.2.1",))
    assert len(asking.answers) > 100 and set(asking.answers) == {("192.0.2.1",), ("192.0.2.2",)}
    failure = route53.get_health_check_last_failure_reason(HealthCheckId=primary)["HealthCheckObservations"][0]
    assert "503" in failure["StatusReport"]["Status"]
    listed = route53.list_resource_record_sets(HostedZoneId=zone_id)["ResourceRecordSets"]
    assert [s.get("HealthCheckId") for s in listed if s["Name"] == name] == [primary, secondary]


def test_weighted_and_multivalue_answers_leave_unhealthy_records_out(cloud, route53, zone, servers, checks):  # noqa: F811
    zone_id, name = zone
    weighted, many = "weighted." + name, "many." + name
    ids = [checks(**http_check(port)) for port in range(8001, 8004)]
    sets = [record(weighted, "A", f"192.0.2.{i}", SetIdentifier=str(i), Weight=10, HealthCheckId=one) for i, one in enumerate(ids)]
    sets += [record(many, "A", f"192.0.2.{i}", SetIdentifier=str(i), MultiValueAnswer=True, HealthCheckId=one) for i, one in enumerate(ids)]
    change(route53, zone_id, *[("CREATE", s) for s in sets])
    with Asking(cloud, many) as asking:
        asking.until(("192.0.2.0", "192.0.2.1", "192.0.2.2"))
        servers.set(8001, 500)
        asking.until(("192.0.2.1", "192.0.2.2"))
        assert {dig(cloud, weighted)[0] for _ in range(40)} == {"192.0.2.1", "192.0.2.2"}
        for port in (8002, 8003):
            servers.set(port, 500)
        # All are unhealthy: all are answered.
        asking.until(("192.0.2.0", "192.0.2.1", "192.0.2.2"))
        assert {dig(cloud, weighted)[0] for _ in range(60)} == {"192.0.2.0", "192.0.2.1", "192.0.2.2"}
    assert () not in asking.answers


def test_types_of_checks(aws, route53, zone, servers, checks):  # noqa: F811
    tcp = checks(Type="TCP", IPAddress=OUTSIDE, Port=8001, RequestInterval=10, FailureThreshold=1)
    found = checks(**http_check(8002, Type="HTTP_STR_MATCH", SearchString="www.shop.example:8002 Amazon-Route53", FullyQualifiedDomainName="www.shop.example"))
    missing = checks(**http_check(8002, Type="HTTP_STR_MATCH", SearchString="something else"))
    named = checks(Type="HTTP", FullyQualifiedDomainName="nowhere.example", RequestInterval=10, FailureThreshold=1)
    assert until(route53, tcp, "Success") == "Success: TCP connection established"
    assert "contains the search string" in until(route53, found, "Success")
    assert "does not contain the search string" in until(route53, missing, "Failure")
    assert until(route53, named, "Failure") == "Failure: DNS resolution failed: DNS response error code NXDOMAIN"
    name = "addressed." + zone[1]
    change(route53, zone[0], ("CREATE", record(name, "A", OUTSIDE)))
    resolved = checks(Type="HTTP", FullyQualifiedDomainName=name, Port=8003, RequestInterval=10)
    assert until(route53, resolved, "Success") == "Success: HTTP Status Code 200, OK"

    one_of = checks(Type="CALCULATED", HealthThreshold=1, ChildHealthChecks=[tcp, missing])
    both = checks(Type="CALCULATED", HealthThreshold=2, ChildHealthChecks=[tcp, missing])
    assert until(route53, one_of, "Success").startswith("Success: 1 of 2 child health checks are healthy")
    assert until(route53, both, "Failure").startswith("Failure: 1 of 2 child health checks are healthy")
    assert refused(route53.delete_health_check, HealthCheckId=tcp)["Code"] == "HealthCheckInUse"
    # An inverted child is healthy.
    version = route53.update_health_check(HealthCheckId=missing, Inverted=True)["HealthCheck"]["HealthCheckVersion"]
    assert version == 2
    until(route53, both, "Success: 2 of 2")
    route53.update_health_check(HealthCheckId=missing, Disabled=True)
    until(route53, both, "Failure: 1 of 2")
    wrong = refused(route53.update_health_check, HealthCheckId=missing, HealthCheckVersion=1, Inverted=False)
    assert wrong["Code"] == "HealthCheckVersionMismatch"

    cloudwatch, alarm = aws("cloudwatch"), f"errors-{uuid.uuid4().hex[:8]}"
    cloudwatch.put_metric_alarm(
        AlarmName=alarm, Namespace="Test", MetricName="Errors", Statistic="Sum", Period=60, EvaluationPeriods=1, Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    identifier = {"Region": cloudwatch.meta.region_name, "Name": alarm}
    watching = checks(Type="CLOUDWATCH_METRIC", AlarmIdentifier=identifier, InsufficientDataHealthStatus="LastKnownStatus")
    until(route53, watching, "Success")
    cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="test")
    until(route53, watching, "Failure")
    cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="INSUFFICIENT_DATA", StateReason="test")
    assert until(route53, watching, "Failure").endswith("INSUFFICIENT_DATA")
    cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="OK", StateReason="test")
    until(route53, watching, "Success")
    cloudwatch.delete_alarms(AlarmNames=[alarm])


def test_configurations_are_refused_and_listed(route53, checks):  # noqa: F811
    def create(**config):
        return refused(route53.create_health_check, CallerReference="x", HealthCheckConfig=config)["Code"]

    assert create(Type="HTTP", IPAddress="10.0.0.1") == "InvalidInput"
    assert create(Type="TCP", IPAddress=OUTSIDE) == "InvalidInput"
    assert create(Type="CALCULATED", HealthThreshold=1, ChildHealthChecks=["none"]) == "NoSuchHealthCheck"
    ids = [checks(**http_check(8001 + i)) for i in range(3)]
    listed = [c["Id"] for page in route53.get_paginator("list_health_checks").paginate(PaginationConfig={"PageSize": 2}) for c in page["HealthChecks"]]
    assert set(ids) <= set(listed)
    assert route53.get_health_check_count()["HealthCheckCount"] >= 3
    shown = route53.get_health_check(HealthCheckId=ids[0])["HealthCheck"]["HealthCheckConfig"]
    assert shown == {**http_check(8001), "ResourcePath": "/", "Inverted": False, "Disabled": False, "MeasureLatency": False}
    route53.change_tags_for_resource(ResourceType="healthcheck", ResourceId=ids[0], AddTags=[{"Key": "Name", "Value": "web"}])
    tags = route53.list_tags_for_resource(ResourceType="healthcheck", ResourceId=ids[0])["ResourceTagSet"]["Tags"]
    assert tags == [{"Key": "Name", "Value": "web"}]
    assert refused(route53.get_health_check, HealthCheckId="none")["Code"] == "NoSuchHealthCheck"
