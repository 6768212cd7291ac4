"""Distributions, invalidations, and the policies and access controls that distributions use."""

import uuid

import botocore.exceptions
import pytest

CACHING_OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"
ALL_VIEWER = "216adef6-5c7f-47e4-b989-5492eafa07d3"


def config(enabled=True, **more):
    return {
        "CallerReference": uuid.uuid4().hex,
        "Comment": "",
        "Enabled": enabled,
        "Origins": {
            "Quantity": 1,
            "Items": [
                {
                    "Id": "web",
                    "DomainName": "nowhere.eu-west-3.elb.localhost",
                    "CustomOriginConfig": {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only"},
                }
            ],
        },
        "DefaultCacheBehavior": {
            "TargetOriginId": "web",
            "ViewerProtocolPolicy": "allow-all",
            "CachePolicyId": CACHING_OPTIMIZED,
            "OriginRequestPolicyId": ALL_VIEWER,
        },
        **more,
    }


def code(error):
    return error.value.response["Error"]["Code"]


def wait_until_deployed(client, id):
    client.get_waiter("distribution_deployed").wait(Id=id, WaiterConfig={"Delay": 1, "MaxAttempts": 60})


def test_distribution_is_created_invalidated_and_deleted(aws):
    client = aws("cloudfront")
    made = client.create_distribution(DistributionConfig=config())
    id, etag = made["Distribution"]["Id"], made["ETag"]
    assert made["Distribution"]["DomainName"] == f"{id.lower()}.cloudfront.localhost"
    wait_until_deployed(client, id)

    def invalidate(reference):
        batch = {"CallerReference": reference, "Paths": {"Quantity": 1, "Items": ["/*"]}}
        return client.create_invalidation(DistributionId=id, InvalidationBatch=batch)["Invalidation"]["Id"]

    made = [invalidate(str(n)) for n in range(5)]
    pages = client.get_paginator("list_invalidations").paginate(DistributionId=id, PaginationConfig={"PageSize": 2})
    assert [i["Id"] for page in pages for i in page["InvalidationList"]["Items"]] == made[::-1], "newest first"
    invalidation = made[0]
    client.get_waiter("invalidation_completed").wait(
        DistributionId=id, Id=invalidation, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )

    with pytest.raises(botocore.exceptions.ClientError) as error:
        client.delete_distribution(Id=id, IfMatch=etag)
    assert code(error) == "DistributionNotDisabled"
    got = client.get_distribution_config(Id=id)
    got["DistributionConfig"]["Enabled"] = False
    with pytest.raises(botocore.exceptions.ClientError) as error:
        client.update_distribution(Id=id, IfMatch="E0", DistributionConfig=got["DistributionConfig"])
    assert code(error) == "PreconditionFailed"
    updated = client.update_distribution(Id=id, IfMatch=etag, DistributionConfig=got["DistributionConfig"])
    assert updated["ETag"] != etag
    wait_until_deployed(client, id)
    client.delete_distribution(Id=id, IfMatch=updated["ETag"])
    with pytest.raises(botocore.exceptions.ClientError) as error:
        client.get_distribution(Id=id)
    assert code(error) == "NoSuchDistribution"


@pytest.mark.parametrize(
    "change, expected",
    [
        ({"WebACLId": "arn:aws:wafv2:us-east-1:000000000000:global/webacl/x/1"}, "NotImplemented"),
        ({"ViewerCertificate": {"CloudFrontDefaultCertificate": False}}, "InvalidViewerCertificate"),
        ({"Logging": {"Enabled": True, "IncludeCookies": False, "Bucket": "b", "Prefix": ""}}, "InvalidArgument"),
        ({"DefaultRootObject": "start page.html"}, "InvalidDefaultRootObject"),
    ],
)
def test_invalid_and_unsupported_settings_are_refused(aws, change, expected):
    with pytest.raises(botocore.exceptions.ClientError) as error:
        aws("cloudfront").create_distribution(DistributionConfig=config(**change))
    assert code(error) == expected


def test_managed_policies_are_available(aws):
    client = aws("cloudfront")
    ids = [i["CachePolicy"]["Id"] for i in client.list_cache_policies(Type="managed")["CachePolicyList"]["Items"]]
    assert CACHING_OPTIMIZED in ids
    policy = client.get_origin_request_policy(Id=ALL_VIEWER)["OriginRequestPolicy"]
    assert policy["OriginRequestPolicyConfig"]["HeadersConfig"]["HeaderBehavior"] == "allViewer"


def test_origin_access_control_names_are_unique(aws):
    client = aws("cloudfront")
    wanted = {
        "Name": uuid.uuid4().hex,
        "SigningProtocol": "sigv4",
        "SigningBehavior": "always",
        "OriginAccessControlOriginType": "s3",
    }
    made = client.create_origin_access_control(OriginAccessControlConfig=wanted)
    id = made["OriginAccessControl"]["Id"]
    with pytest.raises(botocore.exceptions.ClientError) as error:
        client.create_origin_access_control(OriginAccessControlConfig=wanted)
    assert code(error) == "OriginAccessControlAlreadyExists"
    listed = client.list_origin_access_controls()["OriginAccessControlList"]["Items"]
    assert id in [i["Id"] for i in listed]
    client.delete_origin_access_control(Id=id, IfMatch=made["ETag"])
