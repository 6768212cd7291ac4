"""SNS: topics, endpoints on the cloud's Internet, the local mailbox, and messages of alarms."""

import base64
import json
import subprocess
import sys
import textwrap
import time
import uuid

import botocore.exceptions
import pytest
import requests

from conftest import eventually, make_cloud, remove_cloud

# Prints a line of JSON for each request, and answers with the status of the path.
RECEIVER = textwrap.dedent("""
    import http.server, json, sys
    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            print(json.dumps({"path": self.path, "headers": dict(self.headers), "body": body}), flush=True)
            self.send_response(int(self.path.strip("/").split("/")[0] or 200))
            self.end_headers()
        def log_message(self, *args):
            pass
    server = http.server.HTTPServer(("198.18.200.1", 8080), Receiver)
    print("ready", flush=True)
    server.serve_forever()
""")
OUTSIDE = "http://198.18.200.1:8080"


@pytest.fixture(scope="module")
def fast():
    """An installation whose retries and minutes are twenty times shorter."""
    made = make_cloud()
    made.env["ESCALE_CLOCK_SPEED"] = "20"
    try:
        made.escale("start")
        yield made
    finally:
        remove_cloud(made)


@pytest.fixture(scope="module")
def sns(fast):
    return fast.client("sns")


@pytest.fixture(scope="module")
def receiver(fast):
    """Returns a function that returns the next request to a host on the Internet."""
    namespace = f"--net={fast.home}/network/netns/hosts/outside"
    server = subprocess.Popen(
        ["nsenter", namespace, sys.executable, "-c", RECEIVER], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout.readline() == "ready\n"
    yield lambda: json.loads(server.stdout.readline())
    server.terminate()
    server.wait()


@pytest.fixture
def topic(sns):
    arn = sns.create_topic(Name=f"t-{uuid.uuid4().hex[:8]}", Tags=[{"Key": "a", "Value": "b"}])["TopicArn"]
    yield arn
    sns.delete_topic(TopicArn=arn)


def subscribed(sns, receiver, topic, path="/200", **more):
    """Subscribes the receiver and confirms it. Returns the subscription's ARN and the request for confirmation."""
    answer = sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=OUTSIDE + path, **more)
    assert answer["SubscriptionArn"] == "pending confirmation"
    asked = receiver()
    token = json.loads(asked["body"])["Token"]
    return sns.confirm_subscription(TopicArn=topic, Token=token)["SubscriptionArn"], asked


def verified(fast, message):
    """Checks the signature with the certificate that the message names, as its reader would."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    names = ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    text = "".join(f"{name}\n{message[name]}\n" for name in names if name in message)
    path = message["SigningCertURL"].removeprefix("https://sns.eu-west-3.amazonaws.com")
    certificate = x509.load_pem_x509_certificate(requests.get(fast.endpoint + path, timeout=5).content)
    version = {"1": hashes.SHA1(), "2": hashes.SHA256()}[message["SignatureVersion"]]
    signature = base64.b64decode(message["Signature"])
    certificate.public_key().verify(signature, text.encode(), padding.PKCS1v15(), version)


def test_confirmed_endpoint_gets_signed_messages(fast, sns, receiver, topic):
    arn, asked = subscribed(sns, receiver, topic)
    assert asked["headers"]["x-amz-sns-message-type"] == "SubscriptionConfirmation"
    verified(fast, json.loads(asked["body"]))
    attributes = {"kind": {"DataType": "String", "StringValue": "order"}}
    sent = sns.publish(TopicArn=topic, Subject="Hello", Message="An order", MessageAttributes=attributes)
    got = receiver()
    message = json.loads(got["body"])
    assert (message["Type"], message["MessageId"]) == ("Notification", sent["MessageId"])
    assert (message["Subject"], message["Message"], message["TopicArn"]) == ("Hello", "An order", topic)
    assert message["MessageAttributes"] == {"kind": {"Type": "String", "Value": "order"}}
    assert got["headers"]["x-amz-sns-subscription-arn"] == arn
    verified(fast, message)
    sns.set_topic_attributes(TopicArn=topic, AttributeName="SignatureVersion", AttributeValue="2")
    sns.publish(TopicArn=topic, Message="again")
    message = json.loads(receiver()["body"])
    assert message["SignatureVersion"] == "2"
    verified(fast, message)
    # The link in the message ends the subscription without credentials.
    path = message["UnsubscribeURL"].removeprefix("https://sns.eu-west-3.amazonaws.com")
    assert requests.get(fast.endpoint + path, timeout=5).status_code == 200
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []


def test_raw_message_is_delivered_alone(sns, receiver, topic):
    subscribed(sns, receiver, topic, Attributes={"RawMessageDelivery": "true"})
    texts = json.dumps({"default": "for others", "http": "for http"})
    sns.publish(TopicArn=topic, Message=texts, MessageStructure="json")
    got = receiver()
    assert (got["body"], got["headers"]["x-amz-sns-rawdelivery"]) == ("for http", "true")


def test_failing_endpoint_gets_three_retries(sns, receiver, topic):
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=f"{OUTSIDE}/503")
    began = time.monotonic()
    asked = [receiver() for _ in range(4)]
    assert {json.loads(a["body"])["MessageId"] for a in asked} == {json.loads(asked[0]["body"])["MessageId"]}
    assert 2.5 < time.monotonic() - began < 20, "the retries are 20 s apart, divided by the clock's speed"


def test_mail_arrives_in_the_mailbox(fast, sns, topic):
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="ops@example.com")
    pending = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert [s["SubscriptionArn"] for s in pending] == ["PendingConfirmation"]
    link = next(line for line in wait_for_mail(fast, "Confirm").splitlines() if line.startswith("http"))
    assert requests.get(link, timeout=5).status_code == 200
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="other@example.com")
    sns.publish(TopicArn=topic, Subject="Disk full", Message="Please look")
    mail = wait_for_mail(fast, "Disk full")
    assert "To: ops@example.com" in mail and "Please look" in mail
    # The command prints the mail of all addresses, or of one, as text or as lines of JSON.
    eventually(lambda: "To: other@example.com" in fast.escale("mailbox").stdout)
    everything, one = fast.escale("mailbox").stdout, fast.escale("mailbox", "ops@example.com").stdout
    assert mail in everything and mail in one and "Date: 20" in one
    assert "other@example.com" not in one
    assert fast.escale("mailbox", "nobody@example.com").stdout == ""
    lines = [json.loads(line) for line in fast.escale("mailbox", "--json", "ops@example.com").stdout.splitlines()]
    assert {line["logStreamName"] for line in lines} == {"ops@example.com"}
    assert any("Please look" in line["message"] for line in lines)


def wait_for_mail(fast, text):
    logs, deadline = fast.client("logs"), time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            for event in logs.filter_log_events(logGroupName="/escale/mailbox")["events"]:
                if text in event["message"]:
                    return event["message"]
        except logs.exceptions.ResourceNotFoundException:
            pass
        time.sleep(0.2)
    raise AssertionError(f"no mail with '{text}'")


def test_alarm_sends_mail(fast, sns, topic):
    sns.subscribe(TopicArn=topic, Protocol="email-json", Endpoint="alarms@example.com")
    link = json.loads(wait_for_mail(fast, '"SubscribeURL":'))["SubscribeURL"]
    assert requests.get(link, timeout=5).status_code == 200
    metrics = fast.client("cloudwatch")
    metrics.put_metric_alarm(
        AlarmName="queue", Namespace="Shop", MetricName="Queue", Statistic="Maximum", Period=60, EvaluationPeriods=1,
        Threshold=10, ComparisonOperator="GreaterThanThreshold", AlarmActions=[topic],
    )
    metrics.put_metric_data(Namespace="Shop", MetricData=[{"MetricName": "Queue", "Value": 11}])
    mail = json.loads(wait_for_mail(fast, '"Subject":"ALARM: \\"queue\\" in EU (Paris)"'))
    alarm = json.loads(mail["Message"])
    assert (alarm["AlarmName"], alarm["NewStateValue"]) == ("queue", "ALARM")
    assert alarm["Trigger"]["MetricName"] == "Queue" and "11.0" in alarm["NewStateReason"]
    actions = metrics.describe_alarm_history(AlarmName="queue", HistoryItemType="Action")["AlarmHistoryItems"]
    assert actions[0]["HistorySummary"] == f"Successfully executed action {topic}"
    metrics.delete_alarms(AlarmNames=["queue"])


def test_wrong_token_and_unsupported_things_are_refused(fast, sns, topic):
    wrong = requests.get(f"{fast.endpoint}/?Action=ConfirmSubscription&TopicArn={topic}&Token=wrong", timeout=5)
    assert (wrong.status_code, "Token" in wrong.text) == (400, True)
    for protocol, endpoint in (("sqs", "arn:aws:sqs:eu-west-3:000000000000:q"), ("https", "https://example.com/")):
        with pytest.raises(botocore.exceptions.ClientError, match=protocol):
            sns.subscribe(TopicArn=topic, Protocol=protocol, Endpoint=endpoint)
    with pytest.raises(botocore.exceptions.ClientError, match="FilterPolicy"):
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="a@b.cd", Attributes={"FilterPolicy": '{"a": ["b"]}'})
    with pytest.raises(sns.exceptions.NotFoundException):
        sns.publish(TopicArn=topic + "x", Message="x")
    with pytest.raises(botocore.exceptions.ClientError, match="fifo"):
        sns.create_topic(Name="orders.fifo")


def test_messages_do_not_reach_the_machine_or_its_networks(fast, sns, receiver, topic):
    """An attack: endpoints that name the machine's loopback, its API, its metadata service and its private networks."""
    # The trap listens at all addresses of the machine: a message that arrives there is answered and noted.
    trap = subprocess.Popen(
        [sys.executable, "-c", RECEIVER.replace('("198.18.200.1", 8080)', '("0.0.0.0", 0)').replace(
            'print("ready", flush=True)', 'print(server.server_address[1], flush=True)')],
        stdout=subprocess.PIPE, text=True,
    )
    port = int(trap.stdout.readline())
    own = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=True).stdout.split()
    own = [address for address in own if ":" not in address]
    assert own, "the machine has an address beside loopback"
    assert requests.post(f"http://{[*own, '127.0.0.1'][0]}:{port}/200", data="{}", timeout=5).status_code == 200
    assert trap.stdout.readline(), "the trap notes what arrives"
    local, foreign = ["127.0.0.1", "127.1.2.3", "0.0.0.0", "localhost"], ["169.254.169.254", "10.0.0.1", *own]
    reasons = dict.fromkeys(local, "has no address that can be reached")
    reasons |= {"[::1]": "IPv6 is not supported"} | dict.fromkeys(foreign, "Network is unreachable")
    pending = {}
    for host in reasons:
        made = sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=f"http://{host}:{port}/200", ReturnSubscriptionArn=True)
        pending[host] = made["SubscriptionArn"]
    # Delivery itself works meanwhile, over the same topic.
    subscribed(sns, receiver, topic)
    given_up = lambda arn: [line for line in fast.log().splitlines() if "given up after 3 retries" in line and arn in line]
    # Four attempts each, a second apart: then all are given up.
    eventually(lambda: all(given_up(arn) for arn in pending.values()), within=40)
    for host, reason in reasons.items():
        assert all(reason in line for line in given_up(pending[host])), (host, given_up(pending[host]))
    trap.terminate()
    assert trap.stdout.read() == "" and trap.wait() != 0, "the trap got a request"


TEMPLATE = """
Resources:
  Topic:
    Type: AWS::SNS::Topic
    Properties:
      DisplayName: Alerts
      Subscription: [{Protocol: email, Endpoint: ops@example.com}]
  Hook:
    Type: AWS::SNS::Subscription
    Properties: {TopicArn: !Ref Topic, Protocol: http, Endpoint: "http://198.18.200.1:8080/200", RawMessageDelivery: true}
  Policy:
    Type: AWS::SNS::TopicPolicy
    Properties:
      Topics: [!Ref Topic]
      PolicyDocument:
        Version: "2012-10-17"
        Statement: [{Effect: Allow, Principal: {Service: cloudwatch.amazonaws.com}, Action: "sns:Publish", Resource: !Ref Topic}]
  Alarm:
    Type: AWS::CloudWatch::Alarm
    Properties:
      Namespace: Shop
      MetricName: Queue
      Statistic: Sum
      Period: 60
      EvaluationPeriods: 1
      Threshold: 10
      ComparisonOperator: GreaterThanThreshold
      AlarmActions: [!Ref Topic]
  Board:
    Type: AWS::CloudWatch::Dashboard
    Properties: {DashboardBody: '{"widgets": []}'}
Outputs:
  Topic: {Value: !GetAtt Topic.TopicArn}
  Alarm: {Value: !Ref Alarm}
"""


def test_stack_has_topics_and_alarms(fast, sns):
    cloudformation, name = fast.client("cloudformation"), f"alerts-{uuid.uuid4().hex[:6]}"
    cloudformation.create_stack(StackName=name, TemplateBody=TEMPLATE)
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    outputs = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["Outputs"]
    found = {output["OutputKey"]: output["OutputValue"] for output in outputs}
    assert len(sns.list_subscriptions_by_topic(TopicArn=found["Topic"])["Subscriptions"]) == 2
    alarm = fast.client("cloudwatch").describe_alarms(AlarmNames=[found["Alarm"]])["MetricAlarms"][0]
    assert (alarm["Threshold"], alarm["AlarmActions"]) == (10, [found["Topic"]])
    drift = cloudformation.detect_stack_drift(StackName=name)["StackDriftDetectionId"]
    deadline = time.monotonic() + 15
    while True:
        status = cloudformation.describe_stack_drift_detection_status(StackDriftDetectionId=drift)
        if status["DetectionStatus"] != "DETECTION_IN_PROGRESS":
            break
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert status["StackDriftStatus"] == "IN_SYNC", cloudformation.describe_stack_resource_drifts(StackName=name)
    changed = TEMPLATE.replace("Threshold: 10", "Threshold: 20").replace("DisplayName: Alerts", "DisplayName: Other")
    cloudformation.update_stack(StackName=name, TemplateBody=changed)
    cloudformation.get_waiter("stack_update_complete").wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    assert fast.client("cloudwatch").describe_alarms(AlarmNames=[found["Alarm"]])["MetricAlarms"][0]["Threshold"] == 20
    assert sns.get_topic_attributes(TopicArn=found["Topic"])["Attributes"]["DisplayName"] == "Other"
    cloudformation.delete_stack(StackName=name)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    assert found["Topic"] not in [t["TopicArn"] for t in sns.list_topics()["Topics"]]
