"""S3: buckets, objects, versions, parts, policies; with boto3, the aws CLI and plain HTTP."""

import base64
import hashlib
import datetime
import io
import json
import uuid
import zlib

import boto3.s3.transfer
import botocore.exceptions
import pytest
import requests

from conftest import REGION, eventually

MB = 1024 * 1024


def code(error):
    return error.value.response["Error"]["Code"]


def refused(expected, call, **arguments):
    """The call must fail with this code, or with this HTTP status if it is a HEAD, whose response has no body."""
    with pytest.raises(botocore.exceptions.ClientError) as error:
        call(**arguments)
    assert code(error) == expected, error.value
    return error.value.response


@pytest.fixture
def s3(aws):
    return aws("s3")


def create_bucket(s3):
    name = f"test-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    return name


@pytest.fixture
def bucket(s3):
    name = create_bucket(s3)
    yield name
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=name):
        for version in page.get("Versions", []) + page.get("DeleteMarkers", []):
            s3.delete_object(Bucket=name, Key=version["Key"], VersionId=version["VersionId"])
    s3.delete_bucket(Bucket=name)


def test_bucket_is_deleted_only_when_empty(s3):
    name = create_bucket(s3)
    refused(
        "BucketAlreadyOwnedByYou",
        s3.create_bucket,
        Bucket=name,
        CreateBucketConfiguration={"LocationConstraint": REGION},
    )
    assert s3.head_bucket(Bucket=name)["BucketRegion"] == REGION
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] == REGION
    assert name in [b["Name"] for b in s3.list_buckets()["Buckets"]]
    s3.put_object(Bucket=name, Key="k", Body=b"x")
    refused("BucketNotEmpty", s3.delete_bucket, Bucket=name)
    s3.delete_object(Bucket=name, Key="k")
    s3.delete_bucket(Bucket=name)
    refused("404", s3.head_bucket, Bucket=name)
    refused("NoSuchBucket", s3.put_object, Bucket=name, Key="k", Body=b"x")
    refused("NoSuchBucket", s3.delete_bucket, Bucket=name)


def test_invalid_names_and_locations_are_refused(s3):
    refused("InvalidBucketName", s3.create_bucket, Bucket="Upper.Case")
    refused(
        "IllegalLocationConstraintException",
        s3.create_bucket,
        Bucket="elsewhere-1",
        CreateBucketConfiguration={"LocationConstraint": "us-west-2"},
    )
    # Only us-east-1 allows a request without a location constraint.
    error = refused("IllegalLocationConstraintException", s3.create_bucket, Bucket="nowhere-1")["Error"]
    assert error["Message"].startswith("The unspecified location constraint is incompatible for the region specific endpoint")
    refused(
        "InvalidLocationConstraint",
        s3.create_bucket,
        Bucket="nowhere-1",
        CreateBucketConfiguration={"LocationConstraint": "us-east-1"},
    )


def test_object_keeps_its_headers_metadata_and_tags(s3, bucket):
    body = b"hello" * 1000
    put = s3.put_object(
        Bucket=bucket,
        Key="dir/a b+ü.txt",
        Body=body,
        ContentType="text/plain",
        CacheControl="max-age=60",
        Metadata={"who": "me"},
        Tagging="a=b&c=d",
    )
    etag = f'"{hashlib.md5(body).hexdigest()}"'
    assert put["ETag"] == etag and put["ServerSideEncryption"] == "AES256"
    got = s3.get_object(Bucket=bucket, Key="dir/a b+ü.txt")
    assert got["Body"].read() == body
    assert (got["ContentType"], got["CacheControl"]) == ("text/plain", "max-age=60")
    assert got["Metadata"] == {"who": "me"} and got["TagCount"] == 2 and got["ETag"] == etag
    assert "VersionId" not in got
    head = s3.head_object(Bucket=bucket, Key="dir/a b+ü.txt")
    assert head["ContentLength"] == len(body)
    tags = s3.get_object_tagging(Bucket=bucket, Key="dir/a b+ü.txt")["TagSet"]
    assert tags == [{"Key": "a", "Value": "b"}, {"Key": "c", "Value": "d"}]
    s3.put_object_tagging(Bucket=bucket, Key="dir/a b+ü.txt", Tagging={"TagSet": [{"Key": "x", "Value": "y"}]})
    assert s3.get_object_tagging(Bucket=bucket, Key="dir/a b+ü.txt")["TagSet"] == [{"Key": "x", "Value": "y"}]
    s3.delete_object_tagging(Bucket=bucket, Key="dir/a b+ü.txt")
    assert s3.get_object_tagging(Bucket=bucket, Key="dir/a b+ü.txt")["TagSet"] == []
    refused("NoSuchKey", s3.get_object, Bucket=bucket, Key="nothing")
    refused("404", s3.head_object, Bucket=bucket, Key="nothing")


def test_ranges_of_an_object(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")

    def get(spec):
        got = s3.get_object(Bucket=bucket, Key="k", Range=spec)
        return got["Body"].read(), got.get("ContentRange"), got["ResponseMetadata"]["HTTPStatusCode"]

    assert get("bytes=0-3") == (b"0123", "bytes 0-3/10", 206)
    assert get("bytes=7-") == (b"789", "bytes 7-9/10", 206)
    assert get("bytes=-2") == (b"89", "bytes 8-9/10", 206)
    assert get("bytes=0-99") == (b"0123456789", "bytes 0-9/10", 206)
    assert get("nonsense") == (b"0123456789", None, 200)
    refused("InvalidRange", s3.get_object, Bucket=bucket, Key="k", Range="bytes=10-")
    head = s3.head_object(Bucket=bucket, Key="k", Range="bytes=2-4")
    assert head["ContentLength"] == 3 and head["ContentRange"] == "bytes 2-4/10"


def test_preconditions_of_gets_and_puts(s3, bucket):
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    head = s3.head_object(Bucket=bucket, Key="k")
    assert s3.get_object(Bucket=bucket, Key="k", IfMatch=put["ETag"])["Body"].read() == b"x"
    refused("PreconditionFailed", s3.get_object, Bucket=bucket, Key="k", IfMatch='"other"')
    refused("304", s3.get_object, Bucket=bucket, Key="k", IfNoneMatch=put["ETag"])
    refused("304", s3.get_object, Bucket=bucket, Key="k", IfModifiedSince=head["LastModified"])
    refused("304", s3.head_object, Bucket=bucket, Key="k", IfNoneMatch=put["ETag"])
    refused("PreconditionFailed", s3.put_object, Bucket=bucket, Key="k", Body=b"y", IfNoneMatch="*")
    refused("PreconditionFailed", s3.put_object, Bucket=bucket, Key="k", Body=b"y", IfMatch='"other"')
    s3.put_object(Bucket=bucket, Key="k", Body=b"y", IfMatch=put["ETag"])
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"y"


def test_preconditions_of_parts_copies_and_deletes(s3, bucket):
    old = s3.put_object(Bucket=bucket, Key="k", Body=b"old")["ETag"]

    def complete(key, **conditions):
        at = {"Bucket": bucket, "Key": key}
        upload = s3.create_multipart_upload(**at)["UploadId"]
        part = s3.upload_part(**at, UploadId=upload, PartNumber=1, Body=b"new")["ETag"]
        parts = {"Parts": [{"PartNumber": 1, "ETag": part}]}
        try:
            return s3.complete_multipart_upload(**at, UploadId=upload, MultipartUpload=parts, **conditions)
        except botocore.exceptions.ClientError:
            # A failed condition does not end the upload.
            s3.abort_multipart_upload(**at, UploadId=upload)
            raise

    error = refused("PreconditionFailed", complete, key="k", IfNoneMatch="*")
    assert error["Error"]["Condition"] == "If-None-Match" and error["ResponseMetadata"]["HTTPStatusCode"] == 412
    assert refused("PreconditionFailed", complete, key="k", IfMatch='"other"')["Error"]["Condition"] == "If-Match"
    refused("NoSuchKey", complete, key="none", IfMatch=old)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"old"
    complete("fresh", IfNoneMatch="*")
    new = complete("k", IfMatch=old)["ETag"]
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"new"

    source = {"Bucket": bucket, "Key": "fresh"}
    refused("PreconditionFailed", s3.copy_object, Bucket=bucket, Key="k", CopySource=source, IfNoneMatch="*")
    refused("PreconditionFailed", s3.copy_object, Bucket=bucket, Key="k", CopySource=source, IfMatch=old)
    s3.copy_object(Bucket=bucket, Key="k", CopySource=source, IfMatch=new)
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=source, IfNoneMatch="*")

    refused("PreconditionFailed", s3.delete_object, Bucket=bucket, Key="copy", IfMatch=old)
    refused("NoSuchKey", s3.delete_object, Bucket=bucket, Key="none", IfMatch="*")
    s3.delete_object(Bucket=bucket, Key="copy", IfMatch="*")
    refused("404", s3.head_object, Bucket=bucket, Key="copy")
    wrong = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "fresh", "ETag": old}]})
    assert [e["Code"] for e in wrong["Errors"]] == ["PreconditionFailed"]


def test_preconditions_of_presigned_puts(s3, bucket):
    old = s3.put_object(Bucket=bucket, Key="k", Body=b"old")["ETag"]
    url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "k"})
    # The condition is in a header that is not signed …
    assert requests.put(url, data=b"new", headers={"If-None-Match": "*"}).status_code == 412
    assert requests.put(url, data=b"new", headers={"If-Match": '"other"'}).status_code == 412
    # … or in a signed header, or in the query, where signers put it.
    for member, name, value in [("IfNoneMatch", "If-None-Match", "*"), ("IfMatch", "If-Match", '"other"')]:
        signed = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "k", member: value})
        assert requests.put(signed, data=b"new", headers={name: value}).status_code == 412
        assert requests.put(signed, data=b"new").status_code in (403, 412), "a put without the signed condition must fail"
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"old"
    assert requests.put(url, data=b"new", headers={"If-Match": old}).status_code == 200


def test_condition_on_an_etag_requires_get_object(cloud, aws, s3, bucket):
    iam, user = aws("iam"), f"u-{uuid.uuid4().hex[:8]}"
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"x")["ETag"]
    iam.create_user(UserName=user)
    actions = ["s3:PutObject", "s3:DeleteObject"]
    statement = {"Effect": "Allow", "Action": actions, "Resource": f"arn:aws:s3:::{bucket}/*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=document)
    key = iam.create_access_key(UserName=user)["AccessKey"]
    try:
        own = cloud.client("s3", key["AccessKeyId"], key["SecretAccessKey"])
        at = {"Bucket": bucket, "Key": "k"}
        refused("AccessDenied", own.put_object, **at, Body=b"y", IfMatch=etag)
        refused("AccessDenied", own.delete_object, **at, IfMatch=etag)
        refused("PreconditionFailed", own.put_object, **at, Body=b"y", IfNoneMatch="*")
        own.put_object(**at, Body=b"y")
        own.delete_object(**at, IfMatch="*")
    finally:
        iam.delete_access_key(UserName=user, AccessKeyId=key["AccessKeyId"])
        iam.delete_user_policy(UserName=user, PolicyName="p")
        iam.delete_user(UserName=user)


# The checksums of b"123456789", which the specifications of the algorithms list as check values.
CHECKSUMS = {
    "CRC32": "cbf43926",
    "CRC32C": "e3069283",
    "CRC64NVME": "ae8b14860a799888",
    "SHA1": "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
    "SHA256": "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
}


@pytest.mark.parametrize("algorithm", CHECKSUMS)
def test_put_verifies_and_stores_the_checksum(s3, bucket, algorithm):
    name, body = f"Checksum{algorithm}", b"123456789"
    right = base64.b64encode(bytes.fromhex(CHECKSUMS[algorithm])).decode()
    put = s3.put_object(Bucket=bucket, Key="k", Body=body, **{name: right})
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert put[name] == head[name] == right and head["ChecksumType"] == "FULL_OBJECT"
    refused("BadDigest", s3.put_object, Bucket=bucket, Key="k", Body=b"other", **{name: right})


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_put_accepts_checksums_that_the_client_computes(s3, bucket, algorithm):
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"123456789", ChecksumAlgorithm=algorithm)
    assert base64.b64decode(put[f"Checksum{algorithm}"]).hex() == CHECKSUMS[algorithm]


def test_put_with_a_wrong_checksum_stores_nothing(s3, bucket):
    refused("BadDigest", s3.put_object, Bucket=bucket, Key="k", Body=b"x", ChecksumSHA256="A" * 43 + "=")
    refused("BadDigest", s3.put_object, Bucket=bucket, Key="k", Body=b"x", ContentMD5="A" * 22 + "==")
    refused("404", s3.head_object, Bucket=bucket, Key="k")


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME"])
def test_upload_with_a_full_object_checksum(s3, bucket, algorithm):
    """The header has the checksum of the object, not of the request's body, which lists the parts."""
    name, at = f"Checksum{algorithm}", {"Bucket": bucket, "Key": "k"}
    right = base64.b64encode(bytes.fromhex(CHECKSUMS[algorithm])).decode()
    kind = {"ChecksumAlgorithm": algorithm, "ChecksumType": "FULL_OBJECT"}
    upload = s3.create_multipart_upload(**at, **kind)["UploadId"]
    part = s3.upload_part(**at, UploadId=upload, PartNumber=1, Body=b"123456789", **{name: right})
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"], name: part[name]}]}

    def complete(**more):
        return s3.complete_multipart_upload(**at, UploadId=upload, MultipartUpload=parts, **more)

    wrong = base64.b64encode(bytes(len(bytes.fromhex(CHECKSUMS[algorithm])))).decode()
    refused("BadDigest", complete, **{name: wrong}, ChecksumType="FULL_OBJECT")
    error = refused("InvalidRequest", complete, **{name: right}, ChecksumType="COMPOSITE")
    assert "FULL_OBJECT checksum mode" in error["Error"]["Message"]
    done = complete(**{name: right}, ChecksumType="FULL_OBJECT")
    assert (done[name], done["ChecksumType"]) == (right, "FULL_OBJECT")
    assert s3.head_object(**at, ChecksumMode="ENABLED")[name] == right


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_upload_with_a_composite_checksum(s3, bucket, algorithm):
    name, at = f"Checksum{algorithm}", {"Bucket": bucket, "Key": "k"}
    upload = s3.create_multipart_upload(**at, ChecksumAlgorithm=algorithm)["UploadId"]
    part = s3.upload_part(**at, UploadId=upload, PartNumber=1, Body=b"123456789", ChecksumAlgorithm=algorithm)
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"], name: part[name]}]}
    inner = base64.b64decode(part[name])
    outer = {
        "CRC32": lambda: zlib.crc32(inner).to_bytes(4, "big"),
        "SHA1": lambda: hashlib.sha1(inner).digest(),
        "SHA256": lambda: hashlib.sha256(inner).digest(),
    }[algorithm]()
    right = base64.b64encode(outer).decode() + "-1"
    done = s3.complete_multipart_upload(**at, UploadId=upload, MultipartUpload=parts, **{name: right})
    assert (done[name], done["ChecksumType"]) == (right, "COMPOSITE")


# AWS's statuses of successful responses. The model does not have all of them.
STATUS = {
    "put_bucket_policy": 204,
    "put_bucket_tagging": 204,
    "delete_bucket_policy": 204,
    "delete_bucket_tagging": 204,
    "delete_bucket_cors": 204,
    "delete_bucket_lifecycle": 204,
    "delete_bucket_encryption": 204,
    "delete_public_access_block": 204,
    "delete_object": 204,
    "delete_object_tagging": 204,
    "abort_multipart_upload": 204,
    "put_bucket_acl": 200,
    "put_bucket_cors": 200,
    "put_bucket_encryption": 200,
    "put_bucket_lifecycle_configuration": 200,
    "put_bucket_ownership_controls": 200,
    "put_bucket_versioning": 200,
    "put_public_access_block": 200,
    "put_object": 200,
    "put_object_tagging": 200,
    "copy_object": 200,
    "delete_objects": 200,
    "create_multipart_upload": 200,
    "upload_part": 200,
    "complete_multipart_upload": 200,
    "head_bucket": 200,
    "head_object": 200,
}


def test_successful_responses_have_the_statuses_of_aws(s3, bucket):
    at = {"Bucket": bucket, "Key": "k"}
    seen = {}

    def call(operation, **arguments):
        response = getattr(s3, operation)(**arguments)
        seen[operation] = response["ResponseMetadata"]["HTTPStatusCode"]
        return response

    tags = {"TagSet": [{"Key": "a", "Value": "b"}]}
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:GetObjectTorrent",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    call("head_bucket", Bucket=bucket)
    call("put_bucket_policy", Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    call("delete_bucket_policy", Bucket=bucket)
    call("put_bucket_tagging", Bucket=bucket, Tagging=tags)
    call("delete_bucket_tagging", Bucket=bucket)
    rules = [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]
    call("put_bucket_cors", Bucket=bucket, CORSConfiguration={"CORSRules": rules})
    call("delete_bucket_cors", Bucket=bucket)
    rules = [{"Status": "Disabled", "Filter": {}, "Expiration": {"Days": 1}}]
    call("put_bucket_lifecycle_configuration", Bucket=bucket, LifecycleConfiguration={"Rules": rules})
    call("delete_bucket_lifecycle", Bucket=bucket)
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    call("put_bucket_encryption", Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    call("delete_bucket_encryption", Bucket=bucket)
    owner = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    call("put_bucket_ownership_controls", Bucket=bucket, OwnershipControls=owner)
    call("put_bucket_acl", Bucket=bucket, ACL="private")
    call("put_public_access_block", Bucket=bucket, PublicAccessBlockConfiguration={"BlockPublicAcls": True})
    call("delete_public_access_block", Bucket=bucket)
    call("put_object", **at, Body=b"x")
    call("put_object_tagging", **at, Tagging=tags)
    call("delete_object_tagging", **at)
    call("head_object", **at)
    call("copy_object", Bucket=bucket, Key="c", CopySource=at)
    call("delete_objects", Bucket=bucket, Delete={"Objects": [{"Key": "c"}]})
    upload = call("create_multipart_upload", **at)["UploadId"]
    part = call("upload_part", **at, UploadId=upload, PartNumber=1, Body=b"y")["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": part}]}
    call("complete_multipart_upload", **at, UploadId=upload, MultipartUpload=parts)
    call("abort_multipart_upload", **at, UploadId=s3.create_multipart_upload(**at)["UploadId"])
    call("delete_object", **at)
    call("put_bucket_versioning", Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    assert seen == STATUS


def test_objects_are_listed_in_pages_and_by_prefix(s3, bucket):
    keys = ["a/1", "a/2", "b", "c/ü x", "d&e"]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    found = [o["Key"] for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": 2}) for o in page["Contents"]]
    assert found == keys
    found = [o["Key"] for page in s3.get_paginator("list_objects").paginate(Bucket=bucket, PaginationConfig={"PageSize": 2}) for o in page["Contents"]]
    assert found == keys
    page = s3.list_objects_v2(Bucket=bucket, Delimiter="/")
    assert [p["Prefix"] for p in page["CommonPrefixes"]] == ["a/", "c/"]
    assert [o["Key"] for o in page["Contents"]] == ["b", "d&e"] and page["KeyCount"] == 4
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=bucket, StartAfter="b")["Contents"]] == ["c/ü x", "d&e"]
    assert s3.list_objects_v2(Bucket=bucket, Prefix="a/")["KeyCount"] == 2
    assert s3.list_objects_v2(Bucket=bucket, MaxKeys=0)["KeyCount"] == 0
    refused("InvalidArgument", s3.list_objects_v2, Bucket=bucket, ContinuationToken="§")


def test_versions_are_kept_after_puts_and_deletes(s3, bucket):
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"before")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    one = s3.put_object(Bucket=bucket, Key="k", Body=b"one")["VersionId"]
    two = s3.put_object(Bucket=bucket, Key="k", Body=b"two")["VersionId"]
    assert one != two
    assert s3.get_object(Bucket=bucket, Key="k", VersionId=one)["Body"].read() == b"one"
    assert s3.get_object(Bucket=bucket, Key="k", VersionId="null")["Body"].read() == b"before"
    deleted = s3.delete_object(Bucket=bucket, Key="k")
    assert deleted["DeleteMarker"]
    refused("NoSuchKey", s3.get_object, Bucket=bucket, Key="k")
    refused("MethodNotAllowed", s3.get_object, Bucket=bucket, Key="k", VersionId=deleted["VersionId"])
    listed = s3.list_object_versions(Bucket=bucket)
    assert [v["VersionId"] for v in listed["Versions"]] == [two, one, "null"]
    assert listed["DeleteMarkers"][0]["IsLatest"]
    s3.delete_object(Bucket=bucket, Key="k", VersionId=deleted["VersionId"])
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"two"
    refused("NoSuchVersion", s3.get_object, Bucket=bucket, Key="k", VersionId="none-such")


def test_one_request_deletes_many_objects(s3, bucket):
    for key in ("a", "b", "c"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    done = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "a"}, {"Key": "b"}, {"Key": "none"}]})
    assert sorted(d["Key"] for d in done["Deleted"]) == ["a", "b", "none"] and "Errors" not in done
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["c"]


def test_large_file_is_transferred_in_parts(s3, bucket):
    body = bytes(range(256)) * (11 * MB // 256)
    config = boto3.s3.transfer.TransferConfig(multipart_threshold=5 * MB, multipart_chunksize=5 * MB)
    s3.upload_fileobj(io.BytesIO(body), bucket, "big", Config=config)
    head = s3.head_object(Bucket=bucket, Key="big")
    assert head["ContentLength"] == len(body) and head["ETag"].endswith('-3"')
    into = io.BytesIO()
    s3.download_fileobj(bucket, "big", into, Config=config)
    assert into.getvalue() == body
    part = s3.get_object(Bucket=bucket, Key="big", PartNumber=3)
    assert len(part["Body"].read()) == MB and part["PartsCount"] == 3
    attributes = s3.get_object_attributes(Bucket=bucket, Key="big", ObjectAttributes=["ETag", "ObjectSize", "ObjectParts"])
    assert attributes["ObjectSize"] == len(body) and attributes["ObjectParts"]["TotalPartsCount"] == 3


def test_multipart_upload_validates_its_parts(s3, bucket):
    at = {"Bucket": bucket, "Key": "k"}
    upload = s3.create_multipart_upload(**at, ContentType="text/plain", Metadata={"a": "b"})["UploadId"]
    assert [u["UploadId"] for u in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == [upload]
    first = s3.upload_part(**at, UploadId=upload, PartNumber=1, Body=b"a" * 5)["ETag"]
    second = s3.upload_part(**at, UploadId=upload, PartNumber=2, Body=b"b")["ETag"]
    assert [p["PartNumber"] for p in s3.list_parts(**at, UploadId=upload)["Parts"]] == [1, 2]
    both = [{"PartNumber": 1, "ETag": first}, {"PartNumber": 2, "ETag": second}]
    complete = s3.complete_multipart_upload
    refused("EntityTooSmall", complete, **at, UploadId=upload, MultipartUpload={"Parts": both})
    refused("InvalidPartOrder", complete, **at, UploadId=upload, MultipartUpload={"Parts": both[::-1]})
    wrong = [{"PartNumber": 1, "ETag": second}]
    refused("InvalidPart", complete, **at, UploadId=upload, MultipartUpload={"Parts": wrong})
    complete(**at, UploadId=upload, MultipartUpload={"Parts": both[:1]})
    got = s3.get_object(**at)
    assert got["Body"].read() == b"aaaaa" and got["ContentType"] == "text/plain" and got["Metadata"] == {"a": "b"}
    refused("NoSuchUpload", s3.list_parts, **at, UploadId=upload)
    upload = s3.create_multipart_upload(**at)["UploadId"]
    s3.abort_multipart_upload(**at, UploadId=upload)
    refused("NoSuchUpload", s3.upload_part, **at, UploadId=upload, PartNumber=1, Body=b"a")


def test_copy_includes_or_replaces_metadata(s3, bucket):
    s3.put_object(Bucket=bucket, Key="a b", Body=b"x", ContentType="text/a", Metadata={"m": "1"}, Tagging="t=1")
    s3.copy_object(Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "a b"})
    got = s3.get_object(Bucket=bucket, Key="c")
    assert (got["Body"].read(), got["ContentType"], got["Metadata"], got["TagCount"]) == (b"x", "text/a", {"m": "1"}, 1)
    source = {"Bucket": bucket, "Key": "c"}
    s3.copy_object(Bucket=bucket, Key="c", CopySource=source, MetadataDirective="REPLACE", ContentType="text/b")
    assert s3.head_object(Bucket=bucket, Key="c")["ContentType"] == "text/b"
    refused("InvalidRequest", s3.copy_object, Bucket=bucket, Key="c", CopySource=source)
    refused("PreconditionFailed", s3.copy_object, Bucket=bucket, Key="d", CopySource=source, CopySourceIfMatch='"no"')
    refused("NoSuchKey", s3.copy_object, Bucket=bucket, Key="d", CopySource={"Bucket": bucket, "Key": "none"})


def test_presigned_url_is_valid_only_for_its_request(s3, bucket):
    put = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "k"})
    assert requests.put(put, data=b"over the wire").status_code == 200
    parameters = {"Bucket": bucket, "Key": "k", "ResponseContentDisposition": "attachment; filename=a"}
    got = requests.get(s3.generate_presigned_url("get_object", Params=parameters))
    assert got.content == b"over the wire"
    assert got.headers["content-disposition"] == "attachment; filename=a"
    forged = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"}).replace("/k?", "/l?")
    assert requests.get(forged).status_code == 403


def test_host_name_can_name_the_bucket(cloud, bucket):
    s3 = cloud.client("s3", s3={"addressing_style": "path"})
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})
    assert requests.get(url).content == b"x"
    host = f"{bucket}.s3.{REGION}.amazonaws.com"
    # The request is refused because it is not signed. If the bucket were not recognized, the status would be 404 (NoSuchBucket).
    got = requests.get(f"{cloud.endpoint}/k", headers={"Host": host})
    assert got.status_code == 403 and "AccessDenied" in got.text


def public_policy(bucket):
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/open/*"}
            ],
        }
    )


def test_public_access_requires_removing_the_block(cloud, s3, bucket):
    s3.put_object(Bucket=bucket, Key="open/k", Body=b"x")
    s3.put_object(Bucket=bucket, Key="closed", Body=b"x")
    unsigned = f"{cloud.endpoint}/{bucket}/open/k"
    assert requests.get(unsigned).status_code == 403
    assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
    refused("AccessDenied", s3.put_bucket_policy, Bucket=bucket, Policy=public_policy(bucket))
    refused("NoSuchBucketPolicy", s3.get_bucket_policy, Bucket=bucket)
    s3.delete_public_access_block(Bucket=bucket)
    refused("NoSuchPublicAccessBlockConfiguration", s3.get_public_access_block, Bucket=bucket)
    s3.put_bucket_policy(Bucket=bucket, Policy=public_policy(bucket))
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"]
    assert requests.get(unsigned).content == b"x"
    assert requests.get(f"{cloud.endpoint}/{bucket}/closed").status_code == 403
    # 403 rather than 404: anonymous callers may not list the bucket, so they must not learn which keys exist.
    assert requests.get(f"{cloud.endpoint}/{bucket}/open/none").status_code == 403
    assert requests.put(unsigned, data=b"y").status_code == 403
    block = {"RestrictPublicBuckets": True}
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=block)
    assert requests.get(unsigned).status_code == 403
    s3.delete_bucket_policy(Bucket=bucket)
    refused("MalformedPolicy", s3.put_bucket_policy, Bucket=bucket, Policy="no policy")


def test_conditions_of_a_policy_read_the_headers_of_uploads_and_the_prefix_of_listings(s3, bucket):
    def deny(action, resource, condition):
        statement = {"Effect": "Deny", "Principal": "*", "Action": action, "Resource": f"arn:aws:s3:::{resource}", "Condition": condition}
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))

    deny("s3:PutObject", f"{bucket}/*", {"StringNotEquals": {"s3:x-amz-acl": "bucket-owner-full-control"}})
    refused("AccessDenied", s3.put_object, Bucket=bucket, Key="k", Body=b"x")
    refused("AccessDenied", s3.create_multipart_upload, Bucket=bucket, Key="k", ACL="private")
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ACL="bucket-owner-full-control")
    deny("s3:PutObject", f"{bucket}/*", {"Null": {"s3:x-amz-server-side-encryption": "true"}})
    copy = {"Bucket": bucket, "Key": "copy", "CopySource": f"{bucket}/k"}
    refused("AccessDenied", s3.copy_object, **copy)
    s3.copy_object(**copy, ServerSideEncryption="AES256")
    deny("s3:ListBucket", bucket, {"StringNotLike": {"s3:prefix": ["c*"]}})
    refused("AccessDenied", s3.list_objects_v2, Bucket=bucket)
    refused("AccessDenied", s3.list_objects, Bucket=bucket, Prefix="k")
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=bucket, Prefix="co")["Contents"]] == ["copy"]


def test_missing_configurations_have_the_errors_of_aws(s3, bucket):
    refused("NoSuchCORSConfiguration", s3.get_bucket_cors, Bucket=bucket)
    refused("NoSuchLifecycleConfiguration", s3.get_bucket_lifecycle_configuration, Bucket=bucket)
    refused("NoSuchTagSet", s3.get_bucket_tagging, Bucket=bucket)
    refused("NoSuchWebsiteConfiguration", s3.get_bucket_website, Bucket=bucket)
    refused("ReplicationConfigurationNotFoundError", s3.get_bucket_replication, Bucket=bucket)
    refused("ObjectLockConfigurationNotFoundError", s3.get_object_lock_configuration, Bucket=bucket)
    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=bucket)
    assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == "BucketOwner"
    rules = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    rules = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
    assert rules == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    assert s3.get_bucket_acl(Bucket=bucket)["Grants"][0]["Permission"] == "FULL_CONTROL"


def test_configuration_is_stored_or_refused(s3, bucket):
    tags = [{"Key": "app", "Value": "shop"}]
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tags
    s3.delete_bucket_tagging(Bucket=bucket)
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": True}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    assert s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"] == [rule]
    own_key = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "alias/own"}
    kms = {"Rules": [{"ApplyServerSideEncryptionByDefault": own_key}]}
    refused("NotImplemented", s3.put_bucket_encryption, Bucket=bucket, ServerSideEncryptionConfiguration=kms)
    refused("NotImplemented", s3.put_object, Bucket=bucket, Key="k", Body=b"x", StorageClass="GLACIER")
    refused("AccessControlListNotSupported", s3.put_bucket_acl, Bucket=bucket, ACL="public-read")


def test_aws_cli_syncs_copies_and_removes_files(cloud, bucket, tmp_path):
    (tmp_path / "a").mkdir()
    for name in ("one.txt", "two.html", "a/three.css"):
        (tmp_path / name).write_text(name)
    cloud.aws_cli("s3", "sync", str(tmp_path), f"s3://{bucket}/site/")
    listed = cloud.aws_cli("s3", "ls", "--recursive", f"s3://{bucket}/").stdout
    assert all(name in listed for name in ("site/one.txt", "site/two.html", "site/a/three.css"))
    cloud.aws_cli("s3", "cp", f"s3://{bucket}/site/one.txt", f"s3://{bucket}/copy.txt")
    cloud.aws_cli("s3", "cp", f"s3://{bucket}/copy.txt", str(tmp_path / "back"))
    assert (tmp_path / "back").read_text() == "one.txt"
    cloud.aws_cli("s3", "rm", "--recursive", f"s3://{bucket}/")
    assert cloud.aws_cli("s3", "ls", f"s3://{bucket}/", check=False).stdout == ""


def test_objects_survive_a_restart_of_the_daemon(own_cloud):
    s3 = own_cloud.client("s3")
    name = create_bucket(s3)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket=name, Key="k", Body=b"kept")["VersionId"]
    own_cloud.escale("stop")
    own_cloud.escale("start")
    s3 = own_cloud.client("s3")
    assert s3.get_object(Bucket=name, Key="k", VersionId=version)["Body"].read() == b"kept"
    assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"


def test_lifecycle_rules_expire_objects(s3, bucket):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for key, tags in (("logs/a", ""), ("logs/b", "keep=yes"), ("data", "")):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x", Tagging=tags)
    past = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
    conditions = {"Prefix": "logs/", "Tags": [{"Key": "keep", "Value": "yes"}]}
    rules = [
        {"ID": "old", "Status": "Enabled", "Filter": {"And": conditions}, "Expiration": {"Date": past}},
        {
            "ID": "never",
            "Status": "Enabled",
            "Filter": {"Prefix": "data"},
            "Expiration": {"Days": 3},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 3, "NewerNoncurrentVersions": 2},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
            "Transitions": [{"Days": 1, "StorageClass": "GLACIER"}],
        },
    ]
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})
    assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"] == rules

    def marked():
        return [marker["Key"] for marker in s3.list_object_versions(Bucket=bucket).get("DeleteMarkers", [])]

    assert eventually(marked) == ["logs/b"]
    assert [found["Key"] for found in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["data", "logs/a"]
    s3.delete_bucket_lifecycle(Bucket=bucket)
    refused("NoSuchLifecycleConfiguration", s3.get_bucket_lifecycle_configuration, Bucket=bucket)
    rules[0]["Expiration"] = {"Days": 0}
    call = s3.put_bucket_lifecycle_configuration
    refused("InvalidArgument", call, Bucket=bucket, LifecycleConfiguration={"Rules": rules})


def test_cors_rules_admit_pages_of_other_origins(cloud, s3, bucket):
    rule = {
        "AllowedMethods": ["PUT", "GET"],
        "AllowedOrigins": ["http://*.example"],
        "AllowedHeaders": ["content-*"],
        "ExposeHeaders": ["ETag"],
        "MaxAgeSeconds": 60,
    }
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"] == [rule]
    url, page = f"{cloud.endpoint}/{bucket}/k", {"Origin": "http://shop.example"}
    asks = page | {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "Content-Type"}
    answer = requests.options(url, headers=asks)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == "http://shop.example"
    assert answer.headers["Access-Control-Allow-Methods"] == "PUT, GET"
    assert answer.headers["Access-Control-Allow-Headers"] == "content-type"
    assert answer.headers["Access-Control-Max-Age"] == "60"
    for name, value in (
        ("Origin", "http://shop.test"),
        ("Access-Control-Request-Method", "DELETE"),
        ("Access-Control-Request-Headers", "authorization"),
    ):
        assert requests.options(url, headers=asks | {name: value}).status_code == 403, name
    put = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "k"})
    answer = requests.put(put, data=b"text", headers=page)
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, "http://shop.example")
    assert answer.headers["Access-Control-Expose-Headers"] == "ETag"
    get = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})
    assert requests.get(get, headers=page).headers["Vary"].startswith("Origin")
    # The rules open the bucket to pages, not to callers without permission.
    answer = requests.get(url, headers=page)
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (403, "http://shop.example")
    assert "Access-Control-Allow-Origin" not in requests.get(get, headers={"Origin": "http://shop.test"}).headers
    s3.delete_bucket_cors(Bucket=bucket)
    assert requests.options(url, headers=asks).status_code == 403
