"""Secrets Manager: versions, staging labels, deletion."""

import json

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def secrets(cloud):
    return cloud.client("secretsmanager")


def code(excinfo):
    return excinfo.value.response["Error"]["Code"]


def test_new_version_moves_the_staging_labels(secrets):
    made = secrets.create_secret(Name="shop/versions", SecretString="one", Tags=[{"Key": "a", "Value": "b"}])
    assert made["ARN"].rsplit("-", 1)[0].endswith(":secret:shop/versions")
    assert len(made["ARN"].rsplit("-", 1)[1]) == 6
    secrets.put_secret_value(SecretId=made["ARN"], SecretString="two")
    assert secrets.get_secret_value(SecretId="shop/versions")["SecretString"] == "two"
    previous = secrets.get_secret_value(SecretId=made["ARN"][:-7], VersionStage="AWSPREVIOUS")
    assert previous["SecretString"] == "one" and previous["VersionId"] == made["VersionId"]
    described = secrets.describe_secret(SecretId="shop/versions")
    assert sorted(sum(described["VersionIdsToStages"].values(), [])) == ["AWSCURRENT", "AWSPREVIOUS"]
    assert described["Tags"] == [{"Key": "a", "Value": "b"}]
    listed = secrets.list_secrets(Filters=[{"Key": "name", "Values": ["shop/vers"]}])["SecretList"]
    assert [s["Name"] for s in listed] == ["shop/versions"]


def test_binary_secret_is_returned_unchanged(secrets):
    secrets.create_secret(Name="binary", SecretBinary=b"\x00\xff")
    assert secrets.get_secret_value(SecretId="binary")["SecretBinary"] == b"\x00\xff"


def test_deleted_secret_can_be_restored_until_it_is_removed(secrets):
    secrets.create_secret(Name="going", SecretString="x")
    secrets.delete_secret(SecretId="going", RecoveryWindowInDays=7)
    with pytest.raises(ClientError) as e:
        secrets.get_secret_value(SecretId="going")
    assert code(e) == "InvalidRequestException"
    with pytest.raises(ClientError) as e:
        secrets.create_secret(Name="going")
    assert code(e) == "InvalidRequestException"
    secrets.restore_secret(SecretId="going")
    assert secrets.get_secret_value(SecretId="going")["SecretString"] == "x"
    secrets.delete_secret(SecretId="going", ForceDeleteWithoutRecovery=True)
    with pytest.raises(ClientError) as e:
        secrets.describe_secret(SecretId="going")
    assert code(e) == "ResourceNotFoundException"


def test_random_password_has_the_requested_length_and_characters(secrets):
    text = secrets.get_random_password(PasswordLength=20, ExcludePunctuation=True)["RandomPassword"]
    assert len(text) == 20 and text.isalnum()
