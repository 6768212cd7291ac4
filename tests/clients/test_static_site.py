"""Public templates of static sites: a stack with a bucket and a distribution, and what viewers get from it."""

import gzip
import json
import uuid

import pytest
import requests

from conftest import REGION, eventually

QUICK = {"Delay": 1, "MaxAttempts": 120}


def template(resources, **outputs):
    return {"Resources": resources, "Outputs": {name: {"Value": value} for name, value in outputs.items()}}


def get_att(resource, attribute):
    return {"Fn::GetAtt": [resource, attribute]}


BUCKET = {"Type": "AWS::S3::Bucket", "Properties": {}}
ORIGIN_HOST = {"Fn::Select": [2, {"Fn::Split": ["/", get_att("Site", "WebsiteURL")]}]}
LEGACY = {
    "TargetOriginId": "site", "ViewerProtocolPolicy": "allow-all", "Compress": True,
    "AllowedMethods": ["GET", "HEAD"], "CachedMethods": ["GET", "HEAD"],
    "MinTTL": 0, "DefaultTTL": 3600, "MaxTTL": 86400,
    "ForwardedValues": {"QueryString": True, "QueryStringCacheKeys": ["v"], "Cookies": {"Forward": "none"}},
}


def website_site(behavior, **more):
    """A website of S3 behind a distribution, as in most public templates of static sites."""
    config = {
        "Enabled": True, "DefaultRootObject": "index.html", "HttpVersion": "http2", "PriceClass": "PriceClass_100",
        "Origins": [{
            "Id": "site", "DomainName": ORIGIN_HOST,
            "CustomOriginConfig": {"HTTPPort": "80", "HTTPSPort": "443", "OriginProtocolPolicy": "http-only"},
        }],
        "DefaultCacheBehavior": behavior, **more,
    }
    public = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": {"Fn::Sub": "${Site.Arn}/*"}}
    return {
        "Site": {"Type": "AWS::S3::Bucket", "Properties": {
            "WebsiteConfiguration": {"IndexDocument": "index.html", "ErrorDocument": "404.html"},
            "PublicAccessBlockConfiguration": {"BlockPublicPolicy": False, "RestrictPublicBuckets": False},
        }},
        "Policy": {"Type": "AWS::S3::BucketPolicy", "Properties": {
            "Bucket": {"Ref": "Site"}, "PolicyDocument": {"Version": "2012-10-17", "Statement": [public]},
        }},
        "Cdn": {"Type": "AWS::CloudFront::Distribution", "Properties": {"DistributionConfig": config}},
    }


class Stack:
    def __init__(self, cloud):
        self.cloud = cloud
        self.name = f"site-{uuid.uuid4().hex[:8]}"
        self.client = cloud.client("cloudformation")

    def deploy(self, resources, update=False):
        body = str(template(resources, Host=get_att("Cdn", "DomainName"), Bucket={"Ref": "Site"})).replace("'", '"')
        body = body.replace("True", "true").replace("False", "false")
        call = self.client.update_stack if update else self.client.create_stack
        call(StackName=self.name, TemplateBody=body)
        done = "stack_update_complete" if update else "stack_create_complete"
        try:
            self.client.get_waiter(done).wait(StackName=self.name, WaiterConfig=QUICK)
        except Exception as error:
            events = self.client.describe_stack_events(StackName=self.name)["StackEvents"]
            why = [e.get("ResourceStatusReason") for e in events if "FAILED" in e["ResourceStatus"]]
            raise AssertionError(why) from error
        outputs = self.client.describe_stacks(StackName=self.name)["Stacks"][0]["Outputs"]
        self.outputs = {o["OutputKey"]: o["OutputValue"] for o in outputs}

    def put(self, key, body, **more):
        self.cloud.client("s3").put_object(Bucket=self.outputs["Bucket"], Key=key, Body=body, ContentType="text/html", **more)

    def get(self, path="/", method="GET", **headers):
        url = f"http://127.0.0.1:{self.cloud.env['ESCALE_WEB_PORT']}{path}"
        headers = {"Host": self.outputs["Host"], **headers}
        return requests.request(method, url, headers=headers, allow_redirects=False, timeout=20)

    def remove(self):
        s3 = self.cloud.client("s3")
        for entry in s3.list_objects_v2(Bucket=self.outputs["Bucket"]).get("Contents", []):
            s3.delete_object(Bucket=self.outputs["Bucket"], Key=entry["Key"])
        self.client.delete_stack(StackName=self.name)
        self.client.get_waiter("stack_delete_complete").wait(StackName=self.name, WaiterConfig=QUICK)


@pytest.fixture
def stack(cloud):
    return Stack(cloud)


def test_website_behind_a_distribution_with_legacy_settings(stack):
    stack.deploy(website_site(LEGACY, CustomErrorResponses=[
        {"ErrorCode": 403, "ResponseCode": 404, "ResponsePagePath": "/404.html", "ErrorCachingMinTTL": 1},
    ]))
    stack.put("index.html", b"first")
    stack.put("docs/index.html", b"docs")
    stack.put("404.html", b"nothing here")
    first = stack.get()
    assert (first.status_code, first.content, first.headers["X-Cache"]) == (200, b"first", "Miss from cloudfront")
    assert stack.get("/docs/").content == b"docs"
    moved = stack.get("/docs")
    assert (moved.status_code, moved.headers["Location"]) == (302, "/docs/")
    missing = stack.get("/missing")
    assert (missing.status_code, missing.content) == (404, b"nothing here")
    # Only the parameter `v` is in the cache key.
    stack.put("index.html", b"second")
    assert stack.get("/?other=1").content == b"first"
    changed = stack.get("/?v=2")
    assert (changed.content, changed.headers["X-Cache"]) == (b"second", "Miss from cloudfront")
    assert stack.get("/?x=3&v=2").headers["X-Cache"] == "Hit from cloudfront"
    # With all headers in the key, nothing is cached.
    everything = {"QueryString": False, "Headers": ["*"], "Cookies": {"Forward": "all"}}
    stack.deploy(website_site({**LEGACY, "ForwardedValues": everything, "DefaultTTL": 0, "MaxTTL": 0}), update=True)
    stack.put("index.html", b"third")
    # The distribution's name is forwarded as the Host, which is no bucket.
    assert stack.get().status_code == 404
    stack.remove()


def test_policies_decide_on_cache_key_and_headers(stack):
    cache = {
        "Name": f"cache-{stack.name}", "MinTTL": 0, "DefaultTTL": 60, "MaxTTL": 3600,
        "ParametersInCacheKeyAndForwardedToOrigin": {
            "EnableAcceptEncodingGzip": True, "CookiesConfig": {"CookieBehavior": "whitelist", "Cookies": ["lang"]},
            "HeadersConfig": {"HeaderBehavior": "whitelist", "Headers": ["X-Kind"]},
            "QueryStringsConfig": {"QueryStringBehavior": "none"},
        },
    }
    headers = {
        "Name": f"headers-{stack.name}",
        "SecurityHeadersConfig": {
            "StrictTransportSecurity": {"AccessControlMaxAgeSec": 60, "IncludeSubdomains": True, "Override": True},
            "ContentTypeOptions": {"Override": True}, "FrameOptions": {"FrameOption": "DENY", "Override": True},
        },
        "CorsConfig": {
            "AccessControlAllowOrigins": {"Items": ["https://a.example"]}, "AccessControlAllowHeaders": {"Items": ["*"]},
            "AccessControlAllowMethods": {"Items": ["GET"]}, "AccessControlAllowCredentials": False, "OriginOverride": True,
        },
        "CustomHeadersConfig": {"Items": [{"Header": "X-Own", "Value": "1", "Override": True}]},
        "RemoveHeadersConfig": {"Items": [{"Header": "x-amz-request-id"}]},
    }
    behavior = {
        "TargetOriginId": "site", "ViewerProtocolPolicy": "allow-all", "CachePolicyId": {"Ref": "Cache"},
        "ResponseHeadersPolicyId": {"Ref": "Headers"},
    }

    def resources():
        return {
            **website_site(behavior),
            "Cache": {"Type": "AWS::CloudFront::CachePolicy", "Properties": {"CachePolicyConfig": cache}},
            "Headers": {"Type": "AWS::CloudFront::ResponseHeadersPolicy", "Properties": {"ResponseHeadersPolicyConfig": headers}},
        }

    stack.deploy(resources())
    stack.put("index.html", b"first")
    page = stack.get(Origin="https://a.example")
    assert (page.status_code, page.content) == (200, b"first")
    for name, value in {
        "Strict-Transport-Security": "max-age=60; includeSubDomains", "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY", "X-Own": "1", "Access-Control-Allow-Origin": "https://a.example",
    }.items():
        assert page.headers[name] == value
    assert "x-amz-request-id" not in page.headers and "x-amz-id-2" in page.headers
    stack.put("index.html", b"second")
    cached = stack.get("/?x=1", Cookie="other=1")
    assert (cached.content, cached.headers["X-Own"]) == (b"first", "1")
    assert "Access-Control-Allow-Origin" not in cached.headers
    assert stack.get(Cookie="lang=fr; other=2").content == b"second"
    assert stack.get(**{"X-Kind": "a"}).content == b"second"
    # A changed policy applies to cached answers at once.
    headers["CustomHeadersConfig"]["Items"][0]["Value"] = "2"
    stack.deploy(resources(), update=True)
    assert (stack.get().content, stack.get().headers["X-Own"]) == (b"first", "2")
    stack.remove()


def test_only_the_origin_access_identity_reads_the_bucket(stack):
    identity = {"Fn::Sub": "origin-access-identity/cloudfront/${Identity}"}
    grant = {
        "Effect": "Allow", "Action": "s3:GetObject", "Resource": {"Fn::Sub": "${Site.Arn}/*"},
        "Principal": {"CanonicalUser": get_att("Identity", "S3CanonicalUserId")},
    }
    behavior = {
        "TargetOriginId": "s3", "ViewerProtocolPolicy": "allow-all",
        "ForwardedValues": {"QueryString": False, "Cookies": {"Forward": "none"}}, "MinTTL": 0, "DefaultTTL": 0, "MaxTTL": 0,
    }
    config = {
        "Enabled": True, "DefaultRootObject": "index.html",
        "Origins": [{"Id": "s3", "DomainName": get_att("Site", "DomainName"), "S3OriginConfig": {"OriginAccessIdentity": identity}}],
        "DefaultCacheBehavior": behavior,
    }

    def resources():
        return {
            "Site": {"Type": "AWS::S3::Bucket"},
            "Identity": {
                "Type": "AWS::CloudFront::CloudFrontOriginAccessIdentity",
                "Properties": {"CloudFrontOriginAccessIdentityConfig": {"Comment": "site"}},
            },
            "Policy": {"Type": "AWS::S3::BucketPolicy", "Properties": {
                "Bucket": {"Ref": "Site"}, "PolicyDocument": {"Version": "2012-10-17", "Statement": [grant]},
            }},
            "Cdn": {"Type": "AWS::CloudFront::Distribution", "Properties": {"DistributionConfig": config}},
        }

    stack.deploy(resources())
    stack.put("index.html", b"private")
    assert (stack.get().status_code, stack.get().content) == (200, b"private")
    direct = requests.get(f"{stack.cloud.endpoint}/{stack.outputs['Bucket']}/index.html", timeout=20)
    assert direct.status_code == 403, "nobody else reads it"
    # The other form of naming the identity.
    grant["Principal"] = {"AWS": {"Fn::Sub": "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity ${Identity}"}}
    stack.deploy(resources(), update=True)
    assert stack.get().status_code == 200
    grant["Principal"] = {"AWS": {"Fn::Sub": "arn:aws:iam::${AWS::AccountId}:root"}}
    stack.deploy(resources(), update=True)
    assert stack.get().status_code == 403
    stack.remove()


def test_invalid_policies_are_refused(cloud):
    client = cloud.client("cloudfront")
    policy = {
        "Name": f"p-{uuid.uuid4().hex[:8]}", "MinTTL": 5,
        "ParametersInCacheKeyAndForwardedToOrigin": {
            "EnableAcceptEncodingGzip": False, "HeadersConfig": {"HeaderBehavior": "none"},
            "CookiesConfig": {"CookieBehavior": "none"}, "QueryStringsConfig": {"QueryStringBehavior": "none"},
        },
    }
    made = client.create_cache_policy(CachePolicyConfig=policy)
    id = made["CachePolicy"]["Id"]
    with pytest.raises(client.exceptions.CachePolicyAlreadyExists):
        client.create_cache_policy(CachePolicyConfig=policy)
    with pytest.raises(client.exceptions.InvalidArgument):
        client.update_cache_policy(Id=id, IfMatch=made["ETag"], CachePolicyConfig={**policy, "MaxTTL": 1})
    with pytest.raises(client.exceptions.PreconditionFailed):
        client.delete_cache_policy(Id=id, IfMatch="E0")
    listed = client.list_cache_policies(Type="custom")["CachePolicyList"]["Items"]
    assert id in [item["CachePolicy"]["Id"] for item in listed]
    client.delete_cache_policy(Id=id, IfMatch=made["ETag"])
    with pytest.raises(client.exceptions.IllegalDelete):
        client.delete_cache_policy(Id="658327ea-f89d-4fab-a63d-7e88639e58f6", IfMatch="E23ZP02F085DFQ")
    s3 = cloud.client("s3")
    name = f"b-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    who = '{"CanonicalUser": "%s"}' % ("a" * 96)
    text = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": %s, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::%s/*"}]}'
    with pytest.raises(Exception, match="Invalid principal"):
        s3.put_bucket_policy(Bucket=name, Policy=text % (who, name))
    s3.delete_bucket(Bucket=name)


def lines_of(s3, bucket, prefix, decode=bytes.decode):
    """The lines of all logs below a prefix."""
    found = s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    bodies = [s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read() for entry in found]
    return [line for body in bodies for line in decode(body).splitlines() if not line.startswith("#")]


def test_logs_of_distributions_and_buckets_are_delivered(stack):
    site = website_site(LEGACY, Logging={
        "Bucket": get_att("Logs", "DomainName"), "IncludeCookies": True, "Prefix": "cdn/",
    })
    site["Site"]["Properties"]["LoggingConfiguration"] = {"DestinationBucketName": {"Ref": "Logs"}, "LogFilePrefix": "s3/"}
    logs = {"Type": "AWS::S3::Bucket", "Properties": {
        "AccessControl": "LogDeliveryWrite", "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]},
    }}
    stack.deploy({**site, "Logs": logs})
    stack.put("index.html", b"hello")
    page = stack.get("/?v=1", Cookie="a=b", Referer="http://from.example/", **{"User-Agent": "test agent"})
    assert page.status_code == 200
    s3 = stack.cloud.client("s3")
    bucket = stack.cloud.client("cloudformation").describe_stack_resource(StackName=stack.name, LogicalResourceId="Logs")
    bucket = bucket["StackResourceDetail"]["PhysicalResourceId"]

    def delivered():
        cdn = lines_of(s3, bucket, "cdn/", lambda body: gzip.decompress(body).decode())
        own = lines_of(s3, bucket, "s3/")
        website = [line for line in own if " WEBSITE.GET.OBJECT " in line]
        return cdn and website and (cdn, own, website)

    cdn, own, website = eventually(delivered)
    [line] = cdn
    fields = line.split("\t")
    assert len(fields) == 33
    assert (fields[5], fields[7], fields[8], fields[9]) == ("GET", "/", "200", "http://from.example/")
    assert (fields[10], fields[11], fields[12], fields[13]) == ("test%20agent", "v=1", "a=b", "Miss")
    assert fields[14] == page.headers["X-Amz-Cf-Id"]
    put = [line for line in own if " REST.PUT.OBJECT index.html " in line]
    assert len(put) == 1 and ' 200 - ' in put[0]
    assert " index.html " in website[0] and f' {stack.outputs["Bucket"]} ' in website[0] and ' 200 - 5 5 ' in website[0]
    # A bucket without ACLs cannot have logs of a distribution.
    logs["Properties"] = {}
    with pytest.raises(AssertionError, match="does not enable ACL access"):
        Stack(stack.cloud).deploy({**site, "Logs": logs})
    for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
        s3.delete_object(Bucket=bucket, Key=entry["Key"])
    stack.client.delete_stack(StackName=stack.name)


def test_access_logs_need_the_permission_of_the_target(cloud):
    s3 = cloud.client("s3")
    source, target = (f"{kind}-{uuid.uuid4().hex[:8]}" for kind in ("source", "target"))
    for name in (source, target):
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    with pytest.raises(s3.exceptions.ClientError, match="InvalidTargetBucketForLogging"):
        s3.put_bucket_logging(Bucket=source, BucketLoggingStatus={"LoggingEnabled": {"TargetBucket": "no-such-bucket", "TargetPrefix": ""}})
    enabled = {"TargetBucket": target, "TargetPrefix": "p/", "TargetObjectKeyFormat": {"PartitionedPrefix": {"PartitionDateSource": "EventTime"}}}
    s3.put_bucket_logging(Bucket=source, BucketLoggingStatus={"LoggingEnabled": enabled})
    assert s3.get_bucket_logging(Bucket=source)["LoggingEnabled"] == enabled
    s3.put_object(Bucket=source, Key="denied", Body=b"")
    denial = "an access log could not be delivered"
    eventually(lambda: denial in cloud.log())
    assert s3.list_objects_v2(Bucket=target)["KeyCount"] == 0
    statement = {
        "Effect": "Allow", "Principal": {"Service": "logging.s3.amazonaws.com"}, "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{target}/p/*", "Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{source}"}},
    }
    s3.put_bucket_policy(Bucket=target, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    s3.put_object(Bucket=source, Key="a b", Body=b"12345")
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket=source, Key="missing")
    lines = eventually(lambda: (found := lines_of(s3, target, "p/")) and any("missing" in line for line in found) and found)
    assert any(" REST.PUT.OBJECT a%20b " in line and " 200 - - 5 " in line for line in lines)
    assert any(" REST.GET.OBJECT missing " in line and " 404 NoSuchKey " in line for line in lines)
    assert not any(" denied " in line for line in lines)
    [key] = {entry["Key"].rsplit("/", 1)[0] for entry in s3.list_objects_v2(Bucket=target)["Contents"]}
    assert key.startswith(f"p/000000000000/{REGION}/{source}/20")


def test_acls_apply_only_where_the_ownership_allows_them(cloud):
    s3 = cloud.client("s3")
    name = f"acl-{uuid.uuid4().hex[:8]}"
    location = {"LocationConstraint": REGION}
    with pytest.raises(s3.exceptions.ClientError, match="InvalidBucketAclWithObjectOwnership"):
        s3.create_bucket(Bucket=name, ACL="public-read", CreateBucketConfiguration=location)
    with pytest.raises(s3.exceptions.ClientError, match="InvalidBucketAclWithBlockPublicAccess"):
        s3.create_bucket(Bucket=name, ACL="public-read", ObjectOwnership="ObjectWriter", CreateBucketConfiguration=location)
    s3.create_bucket(Bucket=name, ObjectOwnership="ObjectWriter", CreateBucketConfiguration=location)

    def listed():
        return requests.get(f"{cloud.endpoint}/{name}", timeout=20).status_code

    with pytest.raises(s3.exceptions.ClientError, match="AccessDenied"):
        s3.put_bucket_acl(Bucket=name, ACL="public-read")
    s3.delete_public_access_block(Bucket=name)
    assert listed() == 403
    s3.put_bucket_acl(Bucket=name, ACL="public-read")
    assert listed() == 200
    acl = s3.get_bucket_acl(Bucket=name)
    assert [grant["Permission"] for grant in acl["Grants"]] == ["FULL_CONTROL", "READ"]
    with pytest.raises(s3.exceptions.ClientError, match="InvalidBucketAclWithObjectOwnership"):
        s3.put_bucket_ownership_controls(Bucket=name, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]})
    # What a client has read, it can put.
    s3.put_bucket_acl(Bucket=name, AccessControlPolicy={"Owner": acl["Owner"], "Grants": acl["Grants"]})
    s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration={"IgnorePublicAcls": True})
    assert listed() == 403
    s3.delete_bucket(Bucket=name)


def test_objects_show_when_they_expire(cloud):
    s3 = cloud.client("s3")
    name = f"expires-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    rule = {"ID": "a rule", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 3}}
    s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": [rule]})
    put = s3.put_object(Bucket=name, Key="tmp/a", Body=b"")
    assert put["Expiration"].endswith(' 00:00:00 GMT", rule-id="a%20rule"')
    assert s3.head_object(Bucket=name, Key="tmp/a")["Expiration"] == put["Expiration"]
    assert "Expiration" not in s3.put_object(Bucket=name, Key="b", Body=b"")
    for key in ("tmp/a", "b"):
        s3.delete_object(Bucket=name, Key=key)
    s3.delete_bucket(Bucket=name)
