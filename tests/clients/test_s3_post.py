"""Uploads by HTML forms, with the policies that boto3 signs."""

import uuid

import pytest
import requests

from conftest import REGION


@pytest.fixture
def bucket(cloud):
    name = f"post-{uuid.uuid4().hex[:8]}"
    cloud.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    return name


def send(form, body=b"hello", headers=None, **more):
    return requests.post(
        form["url"], data={**form["fields"], **more}, files={"file": ("a.txt", body)}, headers=headers,
        allow_redirects=False, timeout=20,
    )


def test_form_uploads_what_its_policy_allows(cloud, bucket):
    s3 = cloud.client("s3")
    form = s3.generate_presigned_post(
        bucket, "user/${filename}", Fields={"Content-Type": "text/plain", "x-amz-meta-kind": "a", "success_action_status": "201"},
        Conditions=[
            {"Content-Type": "text/plain"}, {"x-amz-meta-kind": "a"}, {"success_action_status": "201"},
            ["content-length-range", 1, 10],
        ],
    )
    done = send(form)
    assert done.status_code == 201, done.text
    assert f"<Bucket>{bucket}</Bucket><Key>user/a.txt</Key>" in done.text and done.headers["ETag"] in done.text.replace("&quot;", '"')
    stored = s3.get_object(Bucket=bucket, Key="user/a.txt")
    assert (stored["Body"].read(), stored["ContentType"], stored["Metadata"]) == (b"hello", "text/plain", {"kind": "a"})
    # A page of any origin may send the form: the policy decides.
    assert send(form, headers={"Origin": "http://a.example", "Sec-Fetch-Site": "cross-site"}).status_code == 201
    for body, code in [(b"", "EntityTooSmall"), (b"x" * 11, "EntityTooLarge"), (b"x" * 3_000_000, "EntityTooLarge")]:
        refused = send(form, body)
        assert (refused.status_code, f"<Code>{code}</Code>" in refused.text) == (400, True), refused.text
    assert s3.head_object(Bucket=bucket, Key="user/a.txt")["ContentLength"] == 5, "a refused file replaces nothing"


@pytest.mark.parametrize("change, status, code", [
    ({"key": "other"}, 403, "AccessDenied"),
    ({"Content-Type": "text/html"}, 403, "AccessDenied"),
    ({"x-amz-meta-kind": "a"}, 403, "AccessDenied"),
    ({"x-amz-signature": "0" * 64}, 403, "SignatureDoesNotMatch"),
    ({"x-amz-credential": f"AKIANOBODY/20300101/{REGION}/s3/aws4_request"}, 403, "InvalidAccessKeyId"),
    ({"policy": "e30="}, 403, "SignatureDoesNotMatch"),
    ({"x-amz-algorithm": "AWS4"}, 400, "InvalidArgument"),
])
def test_changed_form_is_refused(cloud, bucket, change, status, code):
    s3 = cloud.client("s3")
    form = s3.generate_presigned_post(bucket, "user/a")
    refused = send(form, **change)
    assert (refused.status_code, f"<Code>{code}</Code>" in refused.text) == (status, True), refused.text
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_redirects_after_success(cloud, bucket):
    s3 = cloud.client("s3")
    target = "http://app.example/done?x=1"
    form = s3.generate_presigned_post(bucket, "a b", Fields={"success_action_redirect": target}, Conditions=[{"success_action_redirect": target}])
    done = send(form)
    assert done.status_code == 303
    assert done.headers["Location"].startswith(f"{target}&bucket={bucket}&key=a%20b&etag=%22")
    assert send(s3.generate_presigned_post(bucket, "b")).status_code == 204


def test_user_needs_the_permission_to_put(cloud, bucket):
    iam = cloud.client("iam")
    name = f"u-{uuid.uuid4().hex[:8]}"
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    theirs = cloud.client("s3", key["AccessKeyId"], key["SecretAccessKey"])
    form = theirs.generate_presigned_post(bucket, "k")
    assert send(form).status_code == 403
    # Without a policy the upload is anonymous.
    anonymous = {"url": form["url"], "fields": {"key": "k"}}
    assert send(anonymous).status_code == 403
    assert requests.post(form["url"], data=b"--x", headers={"Content-Type": "multipart/form-data; boundary=x"}, timeout=20).status_code == 400
