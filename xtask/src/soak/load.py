"""The mixed load of `cargo xtask soak memory`: unmodified clients, each in a thread, at a steady pace until the time is over.

Prints what it did as JSON. An operation that fails more than now and then ends it with an error: a load that does nothing
proves nothing.
"""

import argparse
import collections
import json
import os
import threading
import time
import uuid

import boto3
import botocore.config
import requests

WEB = f"http://127.0.0.1:{os.environ['ESCALE_WEB_PORT']}"
SITE = {"Host": "shop.localhost"}
done = collections.Counter()
failed = collections.Counter()
last_error = {}


def client(service):
    config = {"retries": {"max_attempts": 3, "mode": "standard"}, "read_timeout": 60}
    if service == "s3":
        config["s3"] = {"addressing_style": "path"}
    return boto3.client(
        service, endpoint_url=os.environ["AWS_ENDPOINT_URL"], region_name="eu-west-3", config=botocore.config.Config(**config)
    )


def pages():
    session = requests.Session()

    def step():
        for path in ("/", "/api/items?limit=20", "/static/shop.css", "/static/shop.js"):
            session.get(WEB + path, headers=SITE, timeout=20).raise_for_status()

    return step


def items():
    session = requests.Session()
    picture = b"\x89PNG\r\n\x1a\n" + os.urandom(20_000)

    def step():
        answer = session.post(f"{WEB}/api/items", json={"name": "tea", "price_cents": 350}, headers=SITE, timeout=20)
        answer.raise_for_status()
        item = answer.json().get("id") or answer.json()["item"]["id"]
        put = session.put(
            f"{WEB}/api/items/{item}/picture", data=picture, headers={**SITE, "content-type": "image/png"}, timeout=20
        )
        put.raise_for_status()

    return step


def objects():
    s3 = client("s3")
    bucket = f"soak-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-3"})
    body = os.urandom(256 * 1024)

    def step():
        key = f"folder/{uuid.uuid4().hex}"
        s3.put_object(Bucket=bucket, Key=key, Body=body)
        assert len(s3.get_object(Bucket=bucket, Key=key)["Body"].read()) == len(body)
        s3.list_objects_v2(Bucket=bucket, Prefix="folder/")
        s3.delete_object(Bucket=bucket, Key=key)

    return step


def describes():
    ec2, ecs, rds, elb, logs = (client(s) for s in ("ec2", "ecs", "rds", "elbv2", "logs"))

    def step():
        ec2.describe_vpcs()
        ec2.describe_subnets()
        ec2.describe_security_groups()
        ec2.describe_network_interfaces()
        for cluster in ecs.list_clusters()["clusterArns"]:
            tasks = ecs.list_tasks(cluster=cluster)["taskArns"]
            if tasks:
                ecs.describe_tasks(cluster=cluster, tasks=tasks)
        rds.describe_db_instances()
        for group in elb.describe_target_groups()["TargetGroups"]:
            elb.describe_target_health(TargetGroupArn=group["TargetGroupArn"])
        logs.describe_log_groups()

    return step


def replacements():
    ecs = client("ecs")

    def step():
        cluster = next(c for c in ecs.list_clusters()["clusterArns"] if "shop" in c)
        tasks = ecs.list_tasks(cluster=cluster)["taskArns"]
        ready = [t["taskArn"] for t in ecs.describe_tasks(cluster=cluster, tasks=tasks)["tasks"] if t["lastStatus"] == "RUNNING"]
        # The two services' other tasks go on answering.
        if len(ready) >= 4:
            ecs.stop_task(cluster=cluster, task=ready[0])

    return step


TEMPLATE = {
    "AWSTemplateFormatVersion": "2010-09-09",
    "Resources": {
        "Network": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.77.0.0/16"}},
        "Subnet": {
            "Type": "AWS::EC2::Subnet",
            "Properties": {"VpcId": {"Ref": "Network"}, "CidrBlock": "10.77.1.0/24"},
        },
        "Group": {
            "Type": "AWS::EC2::SecurityGroup",
            "Properties": {"VpcId": {"Ref": "Network"}, "GroupDescription": "soak"},
        },
        "Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 1}},
    },
    "Outputs": {"Network": {"Value": {"Ref": "Network"}}},
}


def stacks():
    cloudformation = client("cloudformation")

    def step():
        name = f"soak-{uuid.uuid4().hex[:12]}"
        quick = {"WaiterConfig": {"Delay": 1, "MaxAttempts": 120}}
        cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(TEMPLATE))
        cloudformation.get_waiter("stack_create_complete").wait(StackName=name, **quick)
        cloudformation.describe_stack_events(StackName=name)
        cloudformation.delete_stack(StackName=name)
        cloudformation.get_waiter("stack_delete_complete").wait(StackName=name, **quick)

    return step


def log_lines():
    logs = client("logs")
    group = f"/soak/{uuid.uuid4().hex[:12]}"
    logs.create_log_group(logGroupName=group)
    logs.put_retention_policy(logGroupName=group, retentionInDays=1)
    logs.create_log_stream(logGroupName=group, logStreamName="one")

    def step():
        now = int(time.time() * 1000)
        lines = [{"timestamp": now, "message": f"line {n} of a task that writes much " + "x" * 100} for n in range(50)]
        logs.put_log_events(logGroupName=group, logStreamName="one", logEvents=lines)
        logs.filter_log_events(logGroupName=group, filterPattern="line", limit=100, startTime=now - 5000)

    return step


# What is done, how many side by side, and the pause after each step in seconds.
KINDS = [(pages, 3, 0.05), (items, 1, 0.5), (objects, 2, 0.1), (describes, 2, 0.2), (replacements, 1, 15), (stacks, 1, 4), (log_lines, 1, 0.5)]


def repeat(kind, pause, end):
    try:
        step = kind()
        while time.monotonic() < end:
            try:
                step()
                done[kind.__name__] += 1
            except Exception as error:  # counted, and judged in the end
                failed[kind.__name__] += 1
                last_error[kind.__name__] = repr(error)
            time.sleep(max(0.0, min(pause, end - time.monotonic())))
    except Exception as error:
        failed[kind.__name__] += 1_000_000
        last_error[kind.__name__] = repr(error)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--seconds", type=int, required=True)
    end = time.monotonic() + arguments.parse_args().seconds
    threads = [
        threading.Thread(target=repeat, args=(kind, pause, end), daemon=True)
        for kind, count, pause in KINDS
        for _ in range(count)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts = {f"rounds of `{kind.__name__}`": f"{done[kind.__name__]}, failed {failed[kind.__name__]}" for kind, *_ in KINDS}
    bad = {k: last_error[k] for k in failed if failed[k] > 3 + done[k] // 20}
    assert not bad, f"the load did not do its work: {bad}; {counts}"
    print(json.dumps(counts))


main()
