"""IAM and STS: users, roles, the effect of their policies, and temporary credentials."""

import datetime
import json
import uuid

import botocore.exceptions
import pytest

from conftest import eventually

ACCOUNT = "000000000000"


def refused(call, *args, **kwargs):
    """The code and the message of the error with which a call must fail."""
    with pytest.raises(botocore.exceptions.ClientError) as error:
        call(*args, **kwargs)
    found = error.value.response["Error"]
    return found["Code"], found["Message"]


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action, resource="*", **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def trust(principal, **more):
    return document({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more})


@pytest.fixture
def name():
    return f"t-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def user(cloud, aws, name):
    """A user without permissions, as a function that creates clients with the user's key."""
    iam = aws("iam")
    arn = iam.create_user(UserName=name)["User"]["Arn"]
    key = iam.create_access_key(UserName=name)["AccessKey"]

    def client(service):
        return cloud.client(service, key=key["AccessKeyId"], secret=key["SecretAccessKey"])

    client.name, client.arn, client.key = name, arn, key
    return client


def test_role_is_created_and_deleted_with_its_policies(aws, name):
    iam = aws("iam")
    policy = trust({"Service": "ecs-tasks.amazonaws.com"})
    created = iam.create_role(
        RoleName=name, AssumeRolePolicyDocument=policy, Path="/app/", Tags=[{"Key": "team", "Value": "shop"}]
    )["Role"]
    assert created["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/app/{name}"
    assert created["AssumeRolePolicyDocument"] == json.loads(policy)
    assert refused(iam.create_role, RoleName=name, AssumeRolePolicyDocument=policy) == (
        "EntityAlreadyExists",
        f"Role with name {name} already exists.",
    )
    inline = document(allow("s3:GetObject", "arn:aws:s3:::media/*"))
    iam.put_role_policy(RoleName=name, PolicyName="read", PolicyDocument=inline)
    assert iam.list_role_policies(RoleName=name)["PolicyNames"] == ["read"]
    found = iam.get_role_policy(RoleName=name, PolicyName="read")
    assert found["PolicyDocument"] == json.loads(inline)
    execution = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
    iam.attach_role_policy(RoleName=name, PolicyArn=execution)
    attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    assert attached == [{"PolicyName": "AmazonECSTaskExecutionRolePolicy", "PolicyArn": execution}]
    assert iam.list_role_tags(RoleName=name)["Tags"] == [{"Key": "team", "Value": "shop"}]
    assert [r["RoleName"] for r in iam.list_roles(PathPrefix="/app/")["Roles"]].count(name) == 1

    assert refused(iam.delete_role, RoleName=name)[0] == "DeleteConflict"
    iam.detach_role_policy(RoleName=name, PolicyArn=execution)
    assert refused(iam.delete_role, RoleName=name)[0] == "DeleteConflict"
    iam.delete_role_policy(RoleName=name, PolicyName="read")
    iam.delete_role(RoleName=name)
    assert refused(iam.get_role, RoleName=name) == (
        "NoSuchEntity",
        f"The role with name {name} cannot be found.",
    )


@pytest.mark.parametrize(
    "text, named",
    [
        ("{", "Json"),
        (document({"Effect": "Allow", "Action": "s3:*"}), "resources"),
        (document(allow("GetObject")), "vendor"),
        (document(allow("s3:*", Condition={"ForAllValues:StringEquals": {"aws:TagKeys": "a"}})), "aws:TagKeys"),
        (document(allow("s3:*", "arn:aws:s3:::${saml:sub}/*")), "saml:sub"),
    ],
)
def test_policy_that_cannot_be_evaluated_is_refused(aws, user, text, named):
    code, message = refused(aws("iam").put_user_policy, UserName=user.name, PolicyName="p", PolicyDocument=text)
    assert code == "MalformedPolicyDocument" and named in message


def test_aws_managed_policies_are_listed_attached_and_not_changed(aws, user):
    iam, arn = aws("iam"), "arn:aws:iam::aws:policy/ReadOnlyAccess"
    pages = iam.get_paginator("list_policies").paginate(Scope="AWS")
    listed = {policy["Arn"]: policy for page in pages for policy in page["Policies"]}
    assert len(listed) > 1000 and listed[arn]["IsAttachable"]
    policy = iam.get_policy(PolicyArn=arn)["Policy"]
    version = iam.get_policy_version(PolicyArn=arn, VersionId=policy["DefaultVersionId"])["PolicyVersion"]
    actions = [a for s in version["Document"]["Statement"] for a in s["Action"]]
    assert "ec2:Describe*" in actions and "s3:PutObject" not in actions

    iam.attach_user_policy(UserName=user.name, PolicyArn=arn)
    assert user("ec2").describe_vpcs()["Vpcs"]
    assert refused(user("ec2").create_vpc, CidrBlock="10.8.0.0/16")[0] == "UnauthorizedOperation"
    assert iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 1
    iam.detach_user_policy(UserName=user.name, PolicyArn=arn)
    for change, values in [
        (iam.delete_policy, {}),
        (iam.tag_policy, {"Tags": [{"Key": "a", "Value": "b"}]}),
        (iam.create_policy_version, {"PolicyDocument": document(allow("*"))}),
    ]:
        refused(change, PolicyArn=arn, **values)
    assert iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == policy["DefaultVersionId"]


@pytest.mark.parametrize(
    "policy, code, named",
    [
        ("NoSuchPolicy", "NoSuchEntity", "NoSuchPolicy"),
        ("AmazonBraketFullAccess", "NotImplemented", "AmazonBraketFullAccess"),
        ("aws-service-role/AmazonECSServiceRolePolicy", "PolicyNotAttachable", "Service Role"),
    ],
)
def test_aws_managed_policy_that_cannot_be_attached_is_refused(aws, user, policy, code, named):
    arn = f"arn:aws:iam::aws:policy/{policy}"
    found, message = refused(aws("iam").attach_user_policy, UserName=user.name, PolicyArn=arn)
    assert found == code and named in message


def test_policy_allows_only_the_actions_that_it_names(aws, user):
    ec2 = user("ec2")
    assert refused(ec2.describe_vpcs)[0] == "UnauthorizedOperation"
    aws("iam").put_user_policy(
        UserName=user.name, PolicyName="look", PolicyDocument=document(allow("ec2:Describe*"))
    )
    assert "Vpcs" in ec2.describe_vpcs()
    code, message = refused(ec2.create_vpc, CidrBlock="10.8.0.0/16")
    assert code == "UnauthorizedOperation" and "ec2:CreateVpc" in message
    code, message = refused(user("iam").create_user, UserName="other")
    assert code == "AccessDenied" and "iam:CreateUser" in message and user.arn in message


def test_policy_variable_is_replaced_by_the_user_name(aws, user):
    own = f"arn:aws:iam::{ACCOUNT}:user/${{aws:username}}"
    aws("iam").put_user_policy(
        UserName=user.name, PolicyName="self", PolicyDocument=document(allow("iam:GetUser", own))
    )
    iam = user("iam")
    assert iam.get_user()["User"]["UserName"] == user.name
    assert refused(iam.get_user, UserName="somebody-else")[0] == "AccessDenied"


def test_explicit_deny_overrides_allow(aws, user):
    iam = aws("iam")
    iam.attach_user_policy(UserName=user.name, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    assert "Roles" in user("iam").list_roles()
    no = {"Effect": "Deny", "Action": "iam:List*", "Resource": "*"}
    iam.put_user_policy(UserName=user.name, PolicyName="no", PolicyDocument=document(no))
    code, message = refused(user("iam").list_roles)
    assert code == "AccessDenied" and "explicit deny" in message
    assert "SummaryMap" in user("iam").get_account_summary()


def test_default_version_of_a_managed_policy_is_evaluated(aws, user, name):
    iam = aws("iam")
    arn = iam.create_policy(PolicyName=name, PolicyDocument=document(allow("iam:ListRoles")))["Policy"]["Arn"]
    iam.attach_user_policy(UserName=user.name, PolicyArn=arn)
    assert "Roles" in user("iam").list_roles()
    second = document(allow("iam:ListUsers"))
    version = iam.create_policy_version(PolicyArn=arn, PolicyDocument=second)["PolicyVersion"]
    assert (version["VersionId"], version["IsDefaultVersion"]) == ("v2", False)
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v2")
    assert refused(user("iam").list_roles)[0] == "AccessDenied"
    found = iam.get_policy_version(PolicyArn=arn, VersionId="v2")["PolicyVersion"]["Document"]
    assert found == json.loads(second)
    assert [u["UserName"] for u in iam.list_entities_for_policy(PolicyArn=arn)["PolicyUsers"]] == [user.name]
    assert refused(iam.delete_policy, PolicyArn=arn)[0] == "DeleteConflict"
    assert refused(iam.delete_policy_version, PolicyArn=arn, VersionId="v2")[0] == "DeleteConflict"
    iam.detach_user_policy(UserName=user.name, PolicyArn=arn)
    iam.delete_policy_version(PolicyArn=arn, VersionId="v1")
    iam.delete_policy(PolicyArn=arn)
    assert refused(iam.get_policy, PolicyArn=arn)[0] == "NoSuchEntity"


def test_inactive_and_deleted_access_keys_are_invalid(aws, user):
    iam = aws("iam")
    assert user("sts").get_caller_identity()["Arn"] == user.arn
    iam.create_access_key(UserName=user.name)
    assert refused(iam.create_access_key, UserName=user.name)[0] == "LimitExceeded"
    iam.update_access_key(UserName=user.name, AccessKeyId=user.key["AccessKeyId"], Status="Inactive")
    assert refused(user("sts").get_caller_identity)[0] == "InvalidClientTokenId"
    assert refused(iam.delete_user, UserName=user.name)[0] == "DeleteConflict"
    for key in iam.list_access_keys(UserName=user.name)["AccessKeyMetadata"]:
        iam.delete_access_key(UserName=user.name, AccessKeyId=key["AccessKeyId"])
    iam.delete_user(UserName=user.name)
    assert refused(user("sts").get_caller_identity)[0] == "InvalidClientTokenId"


def test_assumed_role_has_the_permissions_of_the_role(cloud, aws, user, name):
    iam = aws("iam")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust({"AWS": user.arn}))["Role"]
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document(allow("iam:ListRoles")))
    # The trust policy names the user, which is enough within one account.
    response = user("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="tests", DurationSeconds=900)
    given = response["Credentials"]
    left = given["Expiration"] - datetime.datetime.now(datetime.timezone.utc)
    assert datetime.timedelta(seconds=840) < left <= datetime.timedelta(seconds=901)

    def client(service, token=given["SessionToken"]):
        return cloud.client(service, key=given["AccessKeyId"], secret=given["SecretAccessKey"], token=token)

    identity = client("sts").get_caller_identity()
    assert identity["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/tests"
    assert identity["UserId"] == f"{role['RoleId']}:tests" == response["AssumedRoleUser"]["AssumedRoleId"]
    assert "Roles" in client("iam").list_roles()
    assert refused(client("iam").list_users)[0] == "AccessDenied"
    assert refused(client("sts", token="wrong").get_caller_identity)[0] == "InvalidClientTokenId"
    assert refused(client("sts", token=None).get_caller_identity)[0] == "InvalidClientTokenId"

    # A later role with the same name is another role, so the session ends with the first one.
    iam.delete_role_policy(RoleName=name, PolicyName="p")
    iam.delete_role(RoleName=name)
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust({"AWS": user.arn}))
    assert refused(client("sts").get_caller_identity)[0] == "InvalidClientTokenId"


def test_role_that_trusts_the_account_also_requires_a_user_policy(aws, user, name):
    iam = aws("iam")
    root = trust({"AWS": f"arn:aws:iam::{ACCOUNT}:root"})
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=root)["Role"]["Arn"]
    call = {"RoleArn": role, "RoleSessionName": "tests"}
    assert refused(user("sts").assume_role, **call)[0] == "AccessDenied"
    iam.put_user_policy(
        UserName=user.name, PolicyName="assume", PolicyDocument=document(allow("sts:AssumeRole", role))
    )
    assert "Credentials" in user("sts").assume_role(**call)
    # The user's policy alone is not enough: the role must trust the user.
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust({"Service": "ecs-tasks.amazonaws.com"}))
    assert refused(user("sts").assume_role, **call)[0] == "AccessDenied"


def test_role_requires_the_external_id_of_its_trust_policy(aws, user, name):
    condition = {"StringEquals": {"sts:ExternalId": "secret"}}
    policy = trust({"AWS": user.arn}, Condition=condition)
    role = aws("iam").create_role(RoleName=name, AssumeRolePolicyDocument=policy)["Role"]["Arn"]
    call = {"RoleArn": role, "RoleSessionName": "tests"}
    aws("iam").put_user_policy(
        UserName=user.name, PolicyName="assume", PolicyDocument=document(allow("sts:AssumeRole", role))
    )
    assert refused(user("sts").assume_role, **call)[0] == "AccessDenied"
    assert "Credentials" in user("sts").assume_role(ExternalId="secret", **call)


def test_session_is_limited_to_the_maximum_duration(aws, user, name):
    role = aws("iam").create_role(RoleName=name, AssumeRolePolicyDocument=trust({"AWS": user.arn}))["Role"]["Arn"]
    call = {"RoleArn": role, "RoleSessionName": "tests"}
    code, message = refused(user("sts").assume_role, DurationSeconds=7200, **call)
    assert code == "ValidationError" and "MaxSessionDuration" in message
    code, message = refused(user("sts").assume_role, Policy=document(allow("s3:*")), **call)
    assert code == "NotImplemented" and "Policy" in message


def test_session_token_has_the_identity_of_the_user(cloud, aws, user):
    given = user("sts").get_session_token()["Credentials"]
    client = cloud.client(
        "sts", key=given["AccessKeyId"], secret=given["SecretAccessKey"], token=given["SessionToken"]
    )
    assert client.get_caller_identity()["Arn"] == user.arn
    assert refused(client.get_session_token)[0] == "AccessDenied"


def test_users_cannot_delete_service_linked_roles(aws):
    iam = aws("iam")
    iam.create_service_linked_role(AWSServiceName="rds.amazonaws.com")
    role = iam.get_role(RoleName="AWSServiceRoleForRDS")["Role"]
    assert role["Path"] == "/aws-service-role/rds.amazonaws.com/"
    assert refused(iam.delete_role, RoleName="AWSServiceRoleForRDS")[0] == "UnmodifiableEntity"
    assert refused(iam.create_service_linked_role, AWSServiceName="rds.amazonaws.com")[0] == "InvalidInput"


def test_lists_are_paged(aws, user):
    iam = aws("iam")
    for i in range(3):
        iam.put_user_policy(UserName=user.name, PolicyName=f"p{i}", PolicyDocument=document(allow("s3:Get*")))
    pages = list(
        iam.get_paginator("list_user_policies").paginate(UserName=user.name, PaginationConfig={"PageSize": 2})
    )
    assert [p["PolicyNames"] for p in pages] == [["p0", "p1"], ["p2"]]


def test_simulation_decides_like_the_gate(aws, user):
    iam = aws("iam")
    iam.put_user_policy(
        UserName=user.name,
        PolicyName="p",
        PolicyDocument=document(
            allow("s3:*", "arn:aws:s3:::media/*"),
            {"Effect": "Deny", "Action": "s3:Delete*", "Resource": "*"},
        ),
    )
    found = iam.simulate_principal_policy(
        PolicySourceArn=user.arn,
        ActionNames=["s3:GetObject", "s3:DeleteObject", "ec2:CreateVpc"],
        ResourceArns=["arn:aws:s3:::media/a"],
    )["EvaluationResults"]
    assert {r["EvalActionName"]: r["EvalDecision"] for r in found} == {
        "s3:GetObject": "allowed",
        "s3:DeleteObject": "explicitDeny",
        "ec2:CreateVpc": "implicitDeny",
    }


def allow_pass_role(role, **condition):
    """A statement that allows iam:PassRole, optionally under a condition."""
    return allow("iam:PassRole", role, **({"Condition": condition} if condition else {}))


def test_task_roles_require_pass_role(aws, user, name):
    iam, ecs = aws("iam"), user("ecs")
    parameters = {"AssumeRolePolicyDocument": trust({"Service": "ecs-tasks.amazonaws.com"}), "Path": "/app/"}
    role, other = (iam.create_role(RoleName=f"{name}-{which}", **parameters)["Role"]["Arn"] for which in ("own", "other"))

    def permit(*statements):
        iam.put_user_policy(UserName=user.name, PolicyName="p", PolicyDocument=document(allow("ecs:*"), *statements))

    def register(**roles):
        container = {"name": "main", "image": "127.0.0.1/none:1"}
        return ecs.register_task_definition(
            family=name, networkMode="awsvpc", cpu="256", memory="512", containerDefinitions=[container], **roles
        )["taskDefinition"]["taskDefinitionArn"]

    def run(definition, **more):
        network = {"awsvpcConfiguration": {"subnets": ["subnet-0123456789abcdef0"]}}
        return ecs.run_task(cluster=name, taskDefinition=definition, launchType="FARGATE", networkConfiguration=network, **more)

    def denied(call, *args, on=role, **kwargs):
        code, message = refused(call, *args, **kwargs)
        expected = f"User: {user.arn} is not authorized to perform: iam:PassRole on resource: {on} because no identity-based policy"
        assert code == "AccessDeniedException" and message.startswith(expected), (code, message)

    permit()
    register()
    denied(register, taskRoleArn=role)
    denied(register, executionRoleArn=role)
    # A name is resolved to the role's ARN, and an ARN with another path still names the same role.
    denied(register, taskRoleArn=f"{name}-own")
    permit(allow_pass_role(role.replace("/app/", "/")))
    denied(register, taskRoleArn=role.replace("/app/", "/"))
    permit(allow_pass_role(role, StringEquals={"iam:PassedToService": "rds.amazonaws.com"}))
    denied(register, taskRoleArn=role)

    permit(allow_pass_role(role, StringEquals={"iam:PassedToService": "ecs-tasks.amazonaws.com"}))
    definition = register(taskRoleArn=role, executionRoleArn=role)
    denied(register, taskRoleArn=role, executionRoleArn=other, on=other)

    # RunTask passes the roles again, both those of the definition and those of the request.
    ecs.create_cluster(clusterName=name)
    assert refused(run, definition)[0] != "AccessDeniedException"
    denied(run, definition, overrides={"executionRoleArn": other}, on=other)
    permit()
    denied(run, definition)


def test_stack_passes_roles_with_the_permissions_of_its_creator(aws, user, name):
    created = aws("iam").create_role(RoleName=name, AssumeRolePolicyDocument=trust({"Service": "ecs-tasks.amazonaws.com"}))
    role, cloudformation = created["Role"]["Arn"], user("cloudformation")
    task = {
        "Family": name, "NetworkMode": "awsvpc", "Cpu": "256", "Memory": "512", "RequiresCompatibilities": ["FARGATE"],
        "TaskRoleArn": role, "ContainerDefinitions": [{"Name": "main", "Image": "127.0.0.1/none:1"}],
    }
    template = json.dumps({"Resources": {"Task": {"Type": "AWS::ECS::TaskDefinition", "Properties": task}}})

    def deploy(*statements):
        statements = [allow(["cloudformation:*", "ecs:*"]), *statements]
        aws("iam").put_user_policy(UserName=user.name, PolicyName="p", PolicyDocument=document(*statements))
        cloudformation.create_stack(StackName=name, TemplateBody=template)
        status = lambda: cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]  # noqa: E731
        eventually(lambda: not status().endswith("IN_PROGRESS"))
        events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
        failed = [e["ResourceStatusReason"] for e in events if e["ResourceStatus"] == "CREATE_FAILED"]
        final = status()
        cloudformation.delete_stack(StackName=name)
        cloudformation.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
        return final, failed

    final, [reason] = deploy()
    assert final == "ROLLBACK_COMPLETE"
    assert f"User: {user.arn} is not authorized to perform: iam:PassRole on resource: {role}" in reason, reason
    assert deploy(allow_pass_role(role)) == ("CREATE_COMPLETE", [])
