"""Request smuggling: the load balancer, CloudFront and the API refuse every request that two parsers could read differently.

Each attack is the second request on a kept connection. The response must be one error; then the server must close the connection
and must not parse the bytes after the attack as another request.
"""

import json
import uuid

import pytest

from conftest import REGION, eventually
from raw_http import Connection

SMUGGLED = "GET /smuggled HTTP/1.1\r\nHost: {host}\r\n\r\n"

# Name, request, expected status.
HEADS = {
    "length, then chunked": ("POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "chunked, then length": ("POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n", 400),
    "two lengths": ("POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nContent-Length: 40\r\n\r\n", 400),
    "a list of lengths": ("POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0, 0\r\n\r\n", 400),
    "a length with a sign": ("POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: +0\r\n\r\n", 400),
    "a space before the colon": ("POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
    "a folded header": ("GET / HTTP/1.1\r\nHost: {host}\r\nX: a\r\n Transfer-Encoding: chunked\r\n\r\n", 400),
    "chunked twice": ("POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "chunked after another coding": ("POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    "a coding that looks like it": ("POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
    "chunked in HTTP/1.0": ("POST / HTTP/1.0\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "bare line feeds": ("GET / HTTP/1.1\nHost: {host}\n\n", 400),
    "one bare line feed": ("GET / HTTP/1.1\r\nHost: {host}\nX: b\r\n\r\n", 400),
    "a hidden header": ("POST / HTTP/1.1\r\nHost: {host}\r\nX: b\nTransfer-Encoding: chunked\r\n\r\n", 400),
    "no host": ("GET / HTTP/1.1\r\n\r\n", 400),
    "two hosts": ("GET / HTTP/1.1\r\nHost: {host}\r\nHost: {host}\r\n\r\n", 400),
    "a NUL": ("GET / HTTP/1.1\r\nHost: {host}\r\nX: \0\r\n\r\n", 400),
    "a target without a slash": ("GET x HTTP/1.1\r\nHost: {host}\r\n\r\n", 400),
    "a tunnel": ("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n", 405),
}

BODIES = {
    "longer than its size": "3\r\nabcX\r\n0\r\n\r\n",
    "a bare line feed after the size": "3\nabc\r\n0\r\n\r\n",
    "a bare line feed after the data": "3\r\nabc\n0\r\n\r\n",
    "a size with a sign": "+3\r\nabc\r\n0\r\n\r\n",
    "a size with a prefix": "0x3\r\nabc\r\n0\r\n\r\n",
    "a size beyond 64 bits": "ffffffffffffffff3\r\nabc\r\n0\r\n\r\n",
    "no size": "\r\nabc\r\n0\r\n\r\n",
}


class Target:
    """A host on the web port. It answers GET /well with "well"."""

    def __init__(self, cloud, domain):
        self.port = int(cloud.env["ESCALE_WEB_PORT"])
        self.host = f"{domain}:{self.port}"

    def open(self):
        connection = Connection(self.port)
        status, _, _ = connection.request(f"GET /well HTTP/1.1\r\nHost: {self.host}\r\n\r\n")
        assert status == 200
        return connection


@pytest.fixture(scope="module")
def balancer(cloud, aws):
    ec2, elb = aws("ec2"), aws("elbv2")
    vpc = ec2.create_vpc(CidrBlock="10.78.0.0/16")["Vpc"]["VpcId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    zones = [z["ZoneName"] for z in ec2.describe_availability_zones()["AvailabilityZones"]][:2]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.78.{i}.0/24", AvailabilityZone=zone)["Subnet"]["SubnetId"]
        for i, zone in enumerate(zones)
    ]
    group = ec2.create_security_group(GroupName=f"g-{uuid.uuid4().hex[:8]}", Description="web", VpcId=vpc)["GroupId"]
    ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
    )
    for table in ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]:
        ec2.create_route(RouteTableId=table["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    made = elb.create_load_balancer(Name=f"web-{uuid.uuid4().hex[:8]}", Subnets=subnets, SecurityGroups=[group])["LoadBalancers"][0]
    arn = made["LoadBalancerArn"]
    nothing = elb.create_target_group(
        Name=f"g-{uuid.uuid4().hex[:8]}", Protocol="HTTP", Port=8080, VpcId=vpc, TargetType="ip"
    )["TargetGroups"][0]["TargetGroupArn"]
    listener = elb.create_listener(
        LoadBalancerArn=arn, Protocol="HTTP", Port=80, DefaultActions=[{"Type": "forward", "TargetGroupArn": nothing}]
    )["Listeners"][0]["ListenerArn"]
    answer = {"StatusCode": "200", "ContentType": "text/plain", "MessageBody": "well"}
    elb.create_rule(
        ListenerArn=listener,
        Priority=1,
        Conditions=[{"Field": "path-pattern", "Values": ["/well*"]}],
        Actions=[{"Type": "fixed-response", "FixedResponseConfig": answer}],
    )
    front = Target(cloud, made["DNSName"])
    elb.get_waiter("load_balancer_available").wait(LoadBalancerArns=[arn], WaiterConfig={"Delay": 1, "MaxAttempts": 60})

    def answers():
        with Connection(front.port) as connection:
            return connection.request(f"GET /well HTTP/1.1\r\nHost: {front.host}\r\n\r\n")[0] == 200

    eventually(answers)
    return front


@pytest.fixture(scope="module")
def cdn(cloud, aws, balancer):
    """A distribution that also forwards methods with a body to its bucket."""
    s3, cloudfront = aws("s3"), aws("cloudfront")
    bucket = f"front-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=bucket, Key="well", Body=b"well")
    access = cloudfront.create_origin_access_control(
        OriginAccessControlConfig={
            "Name": uuid.uuid4().hex,
            "SigningProtocol": "sigv4",
            "SigningBehavior": "always",
            "OriginAccessControlOriginType": "s3",
        }
    )["OriginAccessControl"]["Id"]
    methods = ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"]
    made = cloudfront.create_distribution(
        DistributionConfig={
            "CallerReference": uuid.uuid4().hex,
            "Comment": "",
            "Enabled": True,
            "Origins": {
                "Quantity": 1,
                "Items": [
                    {
                        "Id": "bucket",
                        "DomainName": f"{bucket}.s3.{REGION}.amazonaws.com",
                        "OriginAccessControlId": access,
                        "S3OriginConfig": {"OriginAccessIdentity": ""},
                    }
                ],
            },
            "DefaultCacheBehavior": {
                "TargetOriginId": "bucket",
                "ViewerProtocolPolicy": "allow-all",
                "AllowedMethods": {"Quantity": len(methods), "Items": methods},
                "CachePolicyId": "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
            },
        }
    )["Distribution"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "cloudfront.amazonaws.com"},
        "Action": ["s3:GetObject", "s3:PutObject"],
        "Resource": f"arn:aws:s3:::{bucket}/*",
        "Condition": {"StringEquals": {"AWS:SourceArn": made["ARN"]}},
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    cloudfront.get_waiter("distribution_deployed").wait(Id=made["Id"], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    front = Target(cloud, made["DomainName"])

    def answers():
        with Connection(front.port) as connection:
            return connection.request(f"GET /well HTTP/1.1\r\nHost: {front.host}\r\n\r\n")[0] == 200

    eventually(answers)
    return front


class Api:
    """The API. The requests are unsigned: the API refuses an ambiguous request before it authenticates the caller."""

    def __init__(self, cloud):
        self.port = cloud.port
        self.host = f"127.0.0.1:{cloud.port}"

    def open(self):
        connection = Connection(self.port)
        status, _, _ = connection.request(f"GET / HTTP/1.1\r\nHost: {self.host}\r\n\r\n")
        assert status == 403
        return connection


@pytest.fixture(scope="module")
def api(cloud):
    return Api(cloud)


@pytest.fixture(params=["balancer", "cdn"])
def front(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(params=["balancer", "cdn", "api"])
def listener(request):
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("name", HEADS)
def test_an_ambiguous_head_is_refused(listener, name):
    head, expected = HEADS[name]
    with listener.open() as connection:
        status, headers, _ = connection.request((head + SMUGGLED).replace("{host}", listener.host))
        assert status == expected
        assert headers.get("connection", "close") == "close"
        assert connection.closed(), "the smuggled request got a response"


@pytest.mark.parametrize("name", BODIES)
def test_a_malformed_chunk_is_a_400(cdn, name):
    head = f"PUT /well HTTP/1.1\r\nHost: {cdn.host}\r\nTransfer-Encoding: chunked\r\n\r\n"
    with cdn.open() as connection:
        status, _, _ = connection.request(head + BODIES[name] + SMUGGLED.replace("{host}", cdn.host))
        assert status == 400
        assert connection.closed(), "the smuggled request got a response"


def test_an_unambiguous_request_keeps_the_connection(front):
    with front.open() as connection:
        for _ in range(3):
            two = f"GET /well HTTP/1.1\r\nHost: {front.host}\r\n\r\n" * 2
            assert connection.request(two)[2] == b"well"
            assert connection.request("")[2] == b"well", "pipelined"
        whole = f"GET http://{front.host}/well HTTP/1.1\r\nHost: {front.host}\r\nConnection: close\r\n\r\n"
        assert connection.request(whole)[2] == b"well"
        assert connection.closed()


# After `Expect: 100-continue`, a client that gets a final response need not send the body. The server cannot know whether the next
# bytes are that body or the next request, so it has to close the connection.


def test_a_final_response_instead_of_continue_ends_the_connection(front):
    with front.open() as connection:
        head = f"TRY /nowhere HTTP/1.1\r\nHost: {front.host}\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"
        status, headers, _ = connection.request(head)
        assert status >= 400 and headers["connection"] == "close"
        connection.send(f"GET /well HTTP/1.1\r\nHost: {front.host}\r\n\r\n")
        assert connection.closed()


@pytest.mark.parametrize("path", ["/nobucket/k", "/v2/none/blobs/uploads/"])
def test_a_final_response_of_the_api_instead_of_continue_ends_the_connection(cloud, path):
    with Connection(cloud.port) as connection:
        host = f"127.0.0.1:{cloud.port}"
        status, headers, _ = connection.request(
            f"PUT {path} HTTP/1.1\r\nHost: {host}\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"
        )
        assert status >= 400 and headers["connection"] == "close"
        connection.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")
        assert connection.closed()


def test_refused_uploads_do_not_spoil_the_next_request(cloud, aws):
    """boto3 announces a body, is refused, never sends it, and sends another request on the same connection."""
    import botocore.exceptions

    s3 = cloud.client("s3", max_pool_connections=1)
    bucket = f"b-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    for _ in range(100):
        with pytest.raises(botocore.exceptions.ClientError) as error:
            s3.put_object(Bucket=bucket, Key="k", Body=b"x", StorageClass="GLACIER")
        assert error.value.response["Error"]["Code"] == "NotImplemented"
        s3.put_bucket_acl(Bucket=bucket, ACL="private")
    s3.delete_bucket(Bucket=bucket)
