"""Listeners and callers: which requests the gate accepts, and how it refuses the others."""

import botocore.exceptions
import pytest

from conftest import REGION


def code(error):
    return error.value.response["Error"]["Code"]


def test_root_key_identifies_the_root_user(aws):
    identity = aws("sts").get_caller_identity()
    assert identity["Account"] == "000000000000"
    assert identity["Arn"] == "arn:aws:iam::000000000000:root"


@pytest.mark.parametrize(
    "service, call, expected",
    [
        ("ec2", "describe_vpcs", "AuthFailure"),
        ("sts", "get_caller_identity", "SignatureDoesNotMatch"),
    ],
)
def test_a_wrong_secret_gets_the_error_code_of_the_service(cloud, service, call, expected):
    with pytest.raises(botocore.exceptions.ClientError) as error:
        getattr(cloud.client(service, secret="wrong"), call)()
    assert code(error) == expected


def test_an_unknown_key_is_refused(cloud):
    with pytest.raises(botocore.exceptions.ClientError) as error:
        cloud.client("sts", key="AKIANOBODY").get_caller_identity()
    assert code(error) == "InvalidClientTokenId"


def test_error_names_an_unsupported_parameter(aws):
    with pytest.raises(botocore.exceptions.ClientError) as error:
        aws("ec2").create_vpc(CidrBlock="10.9.0.0/16", Ipv6IpamPoolId="ipam-pool-1")
    assert code(error) == "NotImplemented"
    assert "Ipv6IpamPoolId" in str(error.value)


def test_error_for_another_region_names_the_right_one(cloud):
    done = cloud.aws_cli("ec2", "describe-vpcs", "--region", "us-east-1", check=False)
    assert done.returncode != 0 and REGION in done.stderr


def test_dry_run_reports_that_the_request_would_succeed(aws):
    with pytest.raises(botocore.exceptions.ClientError) as error:
        aws("ec2").create_vpc(CidrBlock="10.9.0.0/16", DryRun=True)
    assert code(error) == "DryRunOperation"
