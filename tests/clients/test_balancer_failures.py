"""An application load balancer under failure: requests that cannot be sent go to another target, a new target starts slowly, and a
node that reaches no target leaves DNS."""

import http.client
import subprocess
import threading
import time

import pytest

from conftest import eventually
from test_elbv2 import balancer, code, vpc  # noqa: F401, fixtures
from test_https import public  # noqa: F401, a fixture
from test_route53 import change, dig, record, route53, zone  # noqa: F401, fixtures
from test_route53_health import Asking, Servers
from test_targets import Interface, healthy, interfaces, listen, target_group  # noqa: F401, fixtures


@pytest.fixture
def backends(interfaces):  # noqa: F811
    started = [Servers(one.path, one.ip, [8000, 8001]) for one in interfaces]
    yield started
    for one in started:
        one.stop()


class Load:
    """Requests to the load balancer from several threads while a block runs. Half of them have a body."""

    def __init__(self, cloud, host, clients=4):
        self.port, self.host = int(cloud.env["ESCALE_WEB_PORT"]), host
        self.done, self.failed, self.targets, self.over = 0, [], {}, threading.Event()
        self.threads = [threading.Thread(target=self.work, args=(n % 2 == 0,)) for n in range(clients)]

    def work(self, with_body):
        while not self.over.is_set():
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=15)
                method, body = ("POST", "sent") if with_body else ("GET", None)
                connection.request(method, "/", body, headers={"Host": self.host})
                answer = connection.getresponse()
                text = answer.read().decode()
                if answer.status != 200 or with_body and not text.endswith("sent"):
                    self.failed.append((answer.status, text))
                else:
                    target = text.split()[0]
                    self.targets[target] = self.targets.get(target, 0) + 1
                connection.close()
            except (OSError, http.client.HTTPException) as error:
                self.failed.append(repr(error))
            self.done += 1

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()


def answers(cloud, host):
    with Load(cloud, host, clients=1) as load:
        eventually(lambda: load.targets)


def test_unsent_requests_go_to_another_target(cloud, aws, vpc, public, interfaces, backends):  # noqa: F811
    elb, host = aws("elbv2"), public["DNSName"]
    # The health check is at another port, so that it does not notice that the first one is closed.
    with target_group(aws, vpc[0], "refusing", interfaces, HealthCheckPort="8001") as arn:
        listener = listen(aws, public, arn)
        healthy(elb, arn, 2)
        answers(cloud, host)
        with Load(cloud, host) as load:
            eventually(lambda: len(load.targets) == 2)
            backends[0].set(8000, "close")
            before, seen = load.done, dict(load.targets)
            eventually(lambda: load.done > before + 500)
            assert load.targets[interfaces[1].ip] > seen[interfaces[1].ip] + 400
        # Requests that the closed server had already accepted are not repeated.
        assert len(load.failed) <= 4, load.failed[:10]
        with Load(cloud, host) as load:
            eventually(lambda: load.done > 500)
        assert load.failed == [], load.failed[:10]
        assert set(load.targets) == {interfaces[1].ip}
        healthy(elb, arn, 2)
        # A target that stays silent: its packets are lost.
        subprocess.run(["nsenter", f"--net={interfaces[0].path}", "ip", "link", "set", "eth0", "down"], check=True)
        with Load(cloud, host) as load:
            eventually(lambda: load.done > 200, within=60)
        assert load.failed == [], load.failed[:10]
        subprocess.run(["nsenter", f"--net={interfaces[0].path}", "ip", "link", "set", "eth0", "up"], check=True)
        elb.delete_listener(ListenerArn=listener["ListenerArn"])


def test_new_target_starts_slowly(cloud, aws, vpc, public, interfaces, backends):  # noqa: F811
    elb, host = aws("elbv2"), public["DNSName"]
    with target_group(aws, vpc[0], "slow", interfaces[:1]) as arn:
        def set_to(**values):
            changes = [{"Key": key.replace("__", "."), "Value": value} for key, value in values.items()]
            elb.modify_target_group_attributes(TargetGroupArn=arn, Attributes=changes)

        for refused in ("29", "901"):
            with pytest.raises(elb.exceptions.ClientError) as error:
                set_to(slow_start__duration_seconds=refused)
            assert code(error) == "ValidationError"
        with pytest.raises(elb.exceptions.ClientError):
            set_to(slow_start__duration_seconds="30", load_balancing__algorithm__type="least_outstanding_requests")
        set_to(slow_start__duration_seconds="30")
        listener = listen(aws, public, arn)
        healthy(elb, arn, 1)
        answers(cloud, host)
        # The first target must be past its own ramp.
        time.sleep(30)
        elb.register_targets(TargetGroupArn=arn, Targets=[{"Id": interfaces[1].ip}])
        healthy(elb, arn, 2)
        shares = []
        for _ in range(8):
            with Load(cloud, host) as load:
                time.sleep(4)
            shares.append(load.targets.get(interfaces[1].ip, 0) / load.done)
            assert load.failed == []
        assert shares[0] < 0.2 and 0.15 < shares[3] < 0.42 and 0.45 < shares[-1] < 0.55, shares
        elb.delete_listener(ListenerArn=listener["ListenerArn"])


def test_node_without_reachable_targets_leaves_dns(cloud, aws, route53, zone, vpc, public, interfaces, backends):  # noqa: F811
    elb, host = aws("elbv2"), public["DNSName"]
    nodes = aws("ec2").describe_network_interfaces(Filters=[{"Name": "description", "Values": [f"ELB app/{public['LoadBalancerName']}/*"]}])
    nodes = {n["Association"]["PublicIp"]: n["NetworkInterfaceId"] for n in nodes["NetworkInterfaces"]}
    both = tuple(sorted(nodes))
    name = "shop." + zone[1]
    target = {"HostedZoneId": public["CanonicalHostedZoneId"], "DNSName": host, "EvaluateTargetHealth": True}
    change(
        route53, zone[0],
        ("CREATE", {"Name": name, "Type": "A", "SetIdentifier": "a", "Failover": "PRIMARY", "AliasTarget": target}),
        ("CREATE", record(name, "A", "192.0.2.9", SetIdentifier="b", Failover="SECONDARY")),
    )
    more = {"HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 2, "UnhealthyThresholdCount": 2}
    with target_group(aws, vpc[0], "zonal", interfaces, **more) as arn:
        listener = listen(aws, public, arn)
        healthy(elb, arn, 2)
        with Asking(cloud, host) as asking, Asking(cloud, name) as by_alias:
            asking.until(both)
            by_alias.until(both)
            # The node of one zone is cut off.
            dead, alive = both
            path = f"{cloud.home}/network/netns/vpcs/{vpc[0]}/interfaces/{nodes[dead]}"
            link = ["nsenter", f"--net={path}", "ip", "link", "set", "eth0"]
            subprocess.run([*link, "down"], check=True)
            assert asking.until((alive,)) < 20
            by_alias.until((alive,))
            subprocess.run([*link, "up"], check=True)
            subprocess.run(["nsenter", f"--net={path}", "ip", "route"], check=True)
            # All targets are unhealthy: the name keeps all addresses, and the alias fails over.
            for backend in backends:
                backend.set(8000, 500)
            by_alias.until(("192.0.2.9",))
            asking.until(both)
            backends[1].set(8000, 200)
            by_alias.until(both)
        assert () not in asking.answers and () not in by_alias.answers
        elb.delete_listener(ListenerArn=listener["ListenerArn"])
