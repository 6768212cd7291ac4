"""Policy evaluation has no gaps: documents with duplicate keys are refused, and a Deny applies to the account's root, too."""

import json
import uuid

import botocore.exceptions
import pytest


def code(call, *args, **kwargs):
    """The error code of a call that must fail."""
    with pytest.raises(botocore.exceptions.ClientError) as error:
        call(*args, **kwargs)
    return error.value.response["Error"]["Code"]


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@pytest.fixture
def name():
    return f"attack-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def user(cloud, aws, name):
    """Creates clients of a new user; `may` sets the user's policy."""
    iam = aws("iam")
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]

    def client(service):
        return cloud.client(service, key=key["AccessKeyId"], secret=key["SecretAccessKey"])

    client.may = lambda *statements: iam.put_user_policy(
        UserName=name, PolicyName="p", PolicyDocument=document(*statements)
    )
    client.name = name
    return client


@pytest.fixture
def bucket(aws, name):
    s3 = aws("s3")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-3"})
    s3.put_object(Bucket=name, Key="k", Body=b"x")
    yield name
    s3.delete_bucket_policy(Bucket=name)
    s3.delete_object(Bucket=name, Key="k")
    s3.delete_bucket(Bucket=name)


def twice(text, key, first):
    """The document with a duplicate key: a parser that keeps the last value never sees the first."""
    return text.replace(f'"{key}": ', f'"{key}": {json.dumps(first)}, "{key}": ', 1)


def test_duplicate_keys_are_refused_in_every_policy_document(aws, user, bucket, name):
    iam, s3, ecr = aws("iam"), aws("s3"), aws("ecr")
    allow = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    identity = twice(document(allow), "Effect", "Deny")
    assert code(iam.put_user_policy, UserName=user.name, PolicyName="q", PolicyDocument=identity) == "MalformedPolicyDocument"
    assert code(iam.create_policy, PolicyName=name, PolicyDocument=identity) == "MalformedPolicyDocument"
    trust = document({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ecs-tasks.amazonaws.com"}})
    for key, first in (("Effect", "Deny"), ("Principal", {"AWS": "000000000000"}), ("Statement", [])):
        found = code(iam.create_role, RoleName=name, AssumeRolePolicyDocument=twice(trust, key, first))
        assert found == "MalformedPolicyDocument", key
    on_bucket = document({**allow, "Principal": "*", "Resource": f"arn:aws:s3:::{bucket}/*"})
    assert code(s3.put_bucket_policy, Bucket=bucket, Policy=twice(on_bucket, "Effect", "Deny")) == "MalformedPolicy"
    ecr.create_repository(repositoryName=name)
    on_repository = document({"Effect": "Allow", "Principal": "*", "Action": "ecr:*"})
    text = twice(on_repository, "Effect", "Deny")
    assert code(ecr.set_repository_policy, repositoryName=name, policyText=text) == "InvalidParameterException"
    ecr.delete_repository(repositoryName=name)


def test_a_bucket_policy_can_deny_the_account_itself(aws, bucket):
    s3 = aws("s3")
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*"}
    resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    s3.put_bucket_policy(Bucket=bucket, Policy=document({**deny, "Resource": resources}))
    assert code(s3.get_object, Bucket=bucket, Key="k") == "AccessDenied"
    assert code(s3.put_object, Bucket=bucket, Key="k", Body=b"y") == "AccessDenied"
    assert code(s3.delete_bucket, Bucket=bucket) == "AccessDenied"
    # Root can always use the policy operations: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html
    assert json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
    s3.put_bucket_policy(Bucket=bucket, Policy=document({**deny, "Resource": resources[:1]}))
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    s3.delete_bucket_policy(Bucket=bucket)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1


def test_a_repository_policy_can_deny_the_account_itself(aws, name):
    ecr = aws("ecr")
    ecr.create_repository(repositoryName=name)
    policy = document({"Effect": "Deny", "Principal": "*", "Action": "ecr:DescribeImages"})
    ecr.set_repository_policy(repositoryName=name, policyText=policy)
    assert code(ecr.describe_images, repositoryName=name) == "AccessDeniedException"
    # ECR refuses a policy that locks out its own caller:
    # https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_SetRepositoryPolicy.html
    everything = document({"Effect": "Deny", "Principal": "*", "Action": "ecr:*"})
    assert code(ecr.set_repository_policy, repositoryName=name, policyText=everything) == "InvalidParameterException"
    ecr.delete_repository_policy(repositoryName=name)
    ecr.describe_images(repositoryName=name)
    ecr.delete_repository(repositoryName=name)


@pytest.mark.parametrize("missing", ["s3:GetObject", "s3:GetObjectAttributes"])
def test_attributes_of_an_object_need_both_actions(user, bucket, missing):
    everything = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    s3 = user("s3")
    user.may(everything)
    assert s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["ObjectSize"])["ObjectSize"] == 1
    user.may(everything, {"Effect": "Deny", "Action": missing, "Resource": "*"})
    assert code(s3.get_object_attributes, Bucket=bucket, Key="k", ObjectAttributes=["ObjectSize"]) == "AccessDenied"


def test_a_deny_of_one_vpc_applies(aws, user):
    ec2 = aws("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.66.0.0/16")["Vpc"]["VpcId"]
    user.may(
        {"Effect": "Allow", "Action": "ec2:*", "Resource": "*"},
        {"Effect": "Deny", "Action": "ec2:DeleteVpc", "Resource": f"arn:aws:ec2:*:*:vpc/{vpc}"},
    )
    assert code(user("ec2").delete_vpc, VpcId=vpc) == "UnauthorizedOperation"
    ec2.delete_vpc(VpcId=vpc)


def test_tags_at_creation_need_create_tags(user):
    user.may({"Effect": "Allow", "Action": "ec2:CreateVpc", "Resource": "*"})
    tags = [{"ResourceType": "vpc", "Tags": [{"Key": "team", "Value": "admin"}]}]
    create = user("ec2").create_vpc
    assert code(create, CidrBlock="10.66.0.0/16", TagSpecifications=tags) == "UnauthorizedOperation"


@pytest.mark.parametrize("suffix", ["", ":1"])
@pytest.mark.parametrize("form", ["name", "arn"])
def test_a_deny_of_a_parameter_covers_its_versions(aws, user, name, suffix, form):
    path = f"/{name}/secret"
    aws("ssm").put_parameter(Name=path, Value="hidden", Type="String")
    arn = f"arn:aws:ssm:eu-west-3:000000000000:parameter{path}"
    user.may(
        {"Effect": "Allow", "Action": "ssm:*", "Resource": "*"},
        {"Effect": "Deny", "Action": "ssm:GetParameter*", "Resource": arn},
    )
    ssm, asked = user("ssm"), {"name": path, "arn": arn}[form] + suffix
    assert code(ssm.get_parameter, Name=asked) == "AccessDeniedException"
    assert code(ssm.get_parameters, Names=[asked]) == "AccessDeniedException"
