"""ECR: repositories, and login, push and pull with an unmodified client (skopeo)."""

import hashlib
import json
import shutil
import uuid

import botocore.exceptions
import pytest
import requests

from conftest import eventually
from images import copy, layout, push, token

skopeo = pytest.mark.skipif(shutil.which("skopeo") is None, reason="needs skopeo")


def refused(expected, call, **arguments):
    with pytest.raises(botocore.exceptions.ClientError) as error:
        call(**arguments)
    assert error.value.response["Error"]["Code"] == expected, error.value


@pytest.fixture
def ecr(aws):
    return aws("ecr")


@pytest.fixture
def repository(ecr):
    name = f"shop/{uuid.uuid4().hex[:12]}"
    yield ecr.create_repository(repositoryName=name)["repository"]
    try:
        ecr.delete_repository(repositoryName=name, force=True)
    except ecr.exceptions.RepositoryNotFoundException:
        pass


def test_repository_life_cycle(cloud, ecr):
    name = f"life/{uuid.uuid4().hex[:8]}"
    made = ecr.create_repository(repositoryName=name, tags=[{"Key": "a", "Value": "b"}])["repository"]
    assert made["repositoryUri"] == f"127.0.0.1:{cloud.port}/{name}"
    assert made["repositoryArn"].endswith(f":repository/{name}")
    refused("RepositoryAlreadyExistsException", ecr.create_repository, repositoryName=name)
    assert ecr.describe_repositories(repositoryNames=[name])["repositories"][0] == made
    assert ecr.list_tags_for_resource(resourceArn=made["repositoryArn"])["tags"] == [{"Key": "a", "Value": "b"}]
    refused("RepositoryPolicyNotFoundException", ecr.get_repository_policy, repositoryName=name)
    refused("LifecyclePolicyNotFoundException", ecr.get_lifecycle_policy, repositoryName=name)
    scanning = {"scanOnPush": True}
    ecr.put_image_scanning_configuration(repositoryName=name, imageScanningConfiguration=scanning)
    assert ecr.describe_repositories(repositoryNames=[name])["repositories"][0]["imageScanningConfiguration"] == scanning
    ecr.delete_repository(repositoryName=name)
    refused("RepositoryNotFoundException", ecr.describe_repositories, repositoryNames=[name])


@skopeo
def test_lifecycle_policy_expires_images(ecr, repository, tmp_path):
    name, uri, password = repository["repositoryName"], repository["repositoryUri"], token(ecr)
    for tag in ("v1", "v2", "v3"):
        layout(tmp_path / tag, {"text": tag})
        push(tmp_path / tag, uri, tag, password)
    selection = {"tagStatus": "tagged", "tagPatternList": ["v*"], "countType": "imageCountMoreThan", "countNumber": 1}
    rule = {"rulePriority": 1, "description": "keep the newest", "selection": selection, "action": {"type": "expire"}}
    text = json.dumps({"rules": [rule]})
    assert ecr.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=text)["lifecyclePolicyText"] == text

    def left():
        images = ecr.describe_images(repositoryName=name)["imageDetails"]
        return [image["imageTags"] for image in images] == [["v3"]]

    eventually(left)
    eventually(lambda: "lastEvaluatedAt" in ecr.get_lifecycle_policy(repositoryName=name))
    ecr.delete_lifecycle_policy(repositoryName=name)
    refused("LifecyclePolicyNotFoundException", ecr.get_lifecycle_policy, repositoryName=name)
    rule["action"]["type"] = "transition"
    text = json.dumps({"rules": [rule]})
    refused("NotImplemented", ecr.put_lifecycle_policy, repositoryName=name, lifecyclePolicyText=text)


@skopeo
def test_image_is_pushed_listed_pulled_and_deleted(ecr, repository, tmp_path):
    name, uri, password = repository["repositoryName"], repository["repositoryUri"], token(ecr)
    digest = layout(tmp_path / "image", {"text": b"hello"})
    push(tmp_path / "image", uri, "v1", password)
    image = ecr.describe_images(repositoryName=name)["imageDetails"][0]
    assert (image["imageDigest"], image["imageTags"]) == (digest, ["v1"])
    assert ecr.list_images(repositoryName=name)["imageIds"] == [{"imageDigest": digest, "imageTag": "v1"}]
    options = ("--src-tls-verify=false", "--src-creds", f"AWS:{password}")
    copy(f"docker://{uri}@{digest}", f"oci:{tmp_path / 'back'}", *options)
    assert (tmp_path / "back/blobs/sha256" / digest.removeprefix("sha256:")).exists()
    got = ecr.batch_get_image(repositoryName=name, imageIds=[{"imageTag": "v1"}, {"imageTag": "none"}])
    manifest = got["images"][0]["imageManifest"]
    assert f"sha256:{hashlib.sha256(manifest.encode()).hexdigest()}" == digest
    assert got["failures"][0]["failureCode"] == "ImageNotFound"
    layers = [layer["digest"] for layer in json.loads(manifest)["layers"]]
    found = ecr.batch_check_layer_availability(repositoryName=name, layerDigests=layers)["layers"]
    assert [layer["layerAvailability"] for layer in found] == ["AVAILABLE"]
    # Adds a tag to the image, as a release does.
    ecr.put_image(repositoryName=name, imageTag="live", imageManifest=manifest)
    refused("ImageAlreadyExistsException", ecr.put_image, repositoryName=name, imageTag="live", imageManifest=manifest)
    assert sorted(ecr.describe_images(repositoryName=name)["imageDetails"][0]["imageTags"]) == ["live", "v1"]
    refused("RepositoryNotEmptyException", ecr.delete_repository, repositoryName=name)
    ecr.batch_delete_image(repositoryName=name, imageIds=[{"imageTag": "v1"}])
    assert ecr.describe_images(repositoryName=name)["imageDetails"][0]["imageTags"] == ["live"]
    ecr.batch_delete_image(repositoryName=name, imageIds=[{"imageTag": "live"}])
    assert ecr.describe_images(repositoryName=name)["imageDetails"] == []
    refused("ImageNotFoundException", ecr.describe_images, repositoryName=name, imageIds=[{"imageTag": "v1"}])


@skopeo
def test_immutable_tags_cannot_be_moved(ecr, repository, tmp_path):
    name, uri, password = repository["repositoryName"], repository["repositoryUri"], token(ecr)
    layout(tmp_path / "one", {"text": b"one"})
    layout(tmp_path / "two", {"text": b"two"})
    push(tmp_path / "one", uri, "v1", password)
    push(tmp_path / "two", uri, "v1", password)
    ecr.put_image_tag_mutability(repositoryName=name, imageTagMutability="IMMUTABLE")
    assert push(tmp_path / "one", uri, "v1", password, check=False).returncode != 0
    push(tmp_path / "one", uri, "v2", password)


@skopeo
def test_refuses_wrong_credentials_and_unknown_repositories(cloud, ecr, repository, tmp_path):
    layout(tmp_path / "image", {"text": b"x"})
    uri = repository["repositoryUri"]
    assert push(tmp_path / "image", uri, "v1", "wrong.token", check=False).returncode != 0
    missing = push(tmp_path / "image", f"{uri}-none", "v1", token(ecr), check=False)
    assert missing.returncode != 0
    assert "images" not in ecr.list_images(repositoryName=repository["repositoryName"])
    ping = requests.get(f"{cloud.endpoint}/v2/")
    assert ping.status_code == 401 and ping.headers["www-authenticate"].startswith("Basic realm=")
    assert requests.get(f"{cloud.endpoint}/v2/", auth=("AWS", token(ecr))).status_code == 200
    unknown = requests.get(f"{cloud.endpoint}/v2/none-such/tags/list", auth=("AWS", token(ecr)))
    assert unknown.status_code == 404 and unknown.json()["errors"][0]["code"] == "NAME_UNKNOWN"


def test_repository_policy_is_stored_and_validated(ecr, repository):
    name = repository["repositoryName"]
    statement = {"Effect": "Allow", "Principal": "*", "Action": ["ecr:BatchGetImage"]}
    text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    assert ecr.set_repository_policy(repositoryName=name, policyText=text)["policyText"] == text
    assert ecr.get_repository_policy(repositoryName=name)["policyText"] == text
    ecr.delete_repository_policy(repositoryName=name)
    refused("InvalidParameterException", ecr.set_repository_policy, repositoryName=name, policyText="no policy")


def test_cli_password_logs_in(cloud):
    password = cloud.aws_cli("ecr", "get-login-password").stdout.strip()
    assert requests.get(f"{cloud.endpoint}/v2/", auth=("AWS", password)).status_code == 200
