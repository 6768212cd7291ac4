use super::*;
use crate::Iam;
use escale_base::{Clock, Secret, Timestamp};
use escale_harness::{Harness, PropertyTable};
use escale_service::Config;
use escale_tables::iam::{Policy, Role, User};
use serde_json::json;
use std::sync::Arc;

struct FakeCloud(Harness);

impl FakeCloud {
    fn new() -> FakeCloud {
        let config = Config::default();
        let iam = Arc::new(Iam {
            root_key: "test".into(),
            root_secret: Secret::new("test".into()),
            account: config.account,
            region: config.region,
            clock: Clock::by_hand(Timestamp(1)),
        });
        FakeCloud(Harness::with(vec![iam.clone()], iam, &[]))
    }

    fn create(&self, kind: &str, values: Value) -> Result<Created, AwsError> {
        let create = self.0.cloud.resource_type(kind).unwrap().create;
        let schema = escale_schema::schema(kind).unwrap();
        let values = schema.coerce(values.as_object().unwrap()).unwrap();
        let props = Props { values: &values, stack_name: "shop", logical_id: "Thing", stack_tags: &[] };
        self.0.cloud.transact(&self.0.store, &Harness::root(), |cx| create(cx, &props)).map_err(|e| e.0)
    }

    fn delete(&self, kind: &str, created: &Created) {
        let delete = self.0.cloud.resource_type(kind).unwrap().delete;
        for _ in 0..2 {
            // The second deletion finds nothing and must succeed.
            self.0.cloud.transact(&self.0.store, &Harness::root(), |cx| delete(cx, created)).unwrap();
        }
    }
}

fn allow(action: &str) -> Value {
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]})
}

fn trust() -> Value {
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"Service": "ecs-tasks.amazonaws.com"}}]})
}

#[test]
fn creates_and_deletes_all_types() {
    let cloud = FakeCloud::new();
    let role = cloud
        .create(
            "AWS::IAM::Role",
            json!({
                "AssumeRolePolicyDocument": trust(),
                "Path": "/app/",
                "MaxSessionDuration": "7200",
                "Policies": [{"PolicyName": "uses", "PolicyDocument": allow("s3:GetObject")}],
                "ManagedPolicyArns": ["arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"],
                "Tags": [{"Key": "team", "Value": "shop"}],
            }),
        )
        .unwrap();
    let name = role.physical_id.as_str();
    assert!(name.starts_with("shop-Thing-"), "{name}");
    assert_eq!(role.attribute("Arn").unwrap(), format!("arn:aws:iam::000000000000:role/app/{name}"));
    let row = cloud.0.store.read().get::<Role>(name).unwrap();
    assert_eq!((row.inline.len(), row.attached.len(), row.max_session_secs), (1, 1, 7200));
    assert_eq!(role.attribute("RoleId").unwrap(), row.id);

    let user = cloud.create("AWS::IAM::User", json!({"UserName": "ada"})).unwrap();
    let inline = cloud
        .create(
            "AWS::IAM::Policy",
            json!({"PolicyName": "more", "PolicyDocument": allow("s3:*"), "Roles": [name], "Users": ["ada"]}),
        )
        .unwrap();
    let managed = cloud
        .create("AWS::IAM::ManagedPolicy", json!({"PolicyDocument": allow("s3:*"), "Roles": [name]}))
        .unwrap();
    let key = cloud.create("AWS::IAM::AccessKey", json!({"UserName": "ada"})).unwrap();
    assert_eq!(key.attribute("SecretAccessKey").unwrap().len(), 40);
    let row = cloud.0.store.read().get::<Role>(name).unwrap();
    assert_eq!((row.inline.len(), row.attached.len()), (2, 2));

    for (kind, created) in [
        ("AWS::IAM::AccessKey", &key),
        ("AWS::IAM::ManagedPolicy", &managed),
        ("AWS::IAM::Policy", &inline),
        ("AWS::IAM::User", &user),
        ("AWS::IAM::Role", &role),
    ] {
        cloud.delete(kind, created);
    }
    let image = cloud.0.store.read();
    assert_eq!(image.scan::<Role>().count() + image.scan::<User>().count(), 0);
    assert_eq!(image.scan::<Policy>().count(), 0);
}

#[test]
fn failed_creation_leaves_no_role() {
    let cloud = FakeCloud::new();
    let error = cloud
        .create(
            "AWS::IAM::Role",
            json!({
                "RoleName": "r",
                "AssumeRolePolicyDocument": trust(),
                "ManagedPolicyArns": ["arn:aws:iam::aws:policy/AmazonBraketFullAccess"],
            }),
        )
        .unwrap_err();
    assert!(error.message.contains("AmazonBraketFullAccess"), "{error}");
    assert!(!cloud.0.store.read().has::<Role>("r"));
}

/// The statements of a policy for another action.
fn other() -> Value {
    allow("sqs:*")
}

/// Creates a resource and returns its physical id.
fn made(cloud: &Harness, kind: &str, properties: Value) -> String {
    cloud.create_resource(kind, properties).unwrap().created.physical_id
}

#[test]
fn updates_change_every_property_of_roles_and_users() {
    let cloud = FakeCloud::new().0;
    let managed = |id: &str| {
        let properties = json!({"ManagedPolicyName": id, "PolicyDocument": allow("s3:*")});
        made(&cloud, "AWS::IAM::ManagedPolicy", properties)
    };
    let (first, second) = (managed("first"), managed("second"));
    let ec2 = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"Service": "ec2.amazonaws.com"}}]});
    let policies = json!([{"PolicyName": "kept", "PolicyDocument": allow("s3:*")}, {"PolicyName": "old", "PolicyDocument": allow("s3:*")}]);
    let new_policies = json!([{"PolicyName": "kept", "PolicyDocument": other()}, {"PolicyName": "new", "PolicyDocument": allow("s3:*")}]);
    let tags = json!([{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]);
    let new_tags = json!([{"Key": "a", "Value": "3"}, {"Key": "c", "Value": "4"}]);
    let cases = [
        PropertyTable::on(
            "AWS::IAM::Role",
            &cloud,
            json!({
                "RoleName": "r", "AssumeRolePolicyDocument": trust(), "Description": "d", "MaxSessionDuration": 7200,
                "Policies": policies, "ManagedPolicyArns": [first], "Tags": tags, "Path": "/app/",
            }),
        )
        .changes(vec![
            json!({"AssumeRolePolicyDocument": ec2}),
            json!({"Description": "other"}),
            json!({"Description": null}),
            json!({"MaxSessionDuration": null}),
            json!({"Policies": new_policies}),
            json!({"Policies": null}),
            json!({"ManagedPolicyArns": [second]}),
            json!({"ManagedPolicyArns": null}),
            json!({"Tags": new_tags}),
            json!({"Tags": null}),
        ]),
        PropertyTable::on(
            "AWS::IAM::User",
            &cloud,
            json!({"UserName": "u", "Policies": policies, "ManagedPolicyArns": [first], "Tags": tags}),
        )
        .changes(vec![
                json!({"Path": "/team/"}),
                json!({"Policies": new_policies}),
                json!({"ManagedPolicyArns": [second]}),
                json!({"Tags": new_tags}),
            ]),
    ];
    cases.iter().for_each(PropertyTable::check);
}

#[test]
fn updates_change_every_property_of_policies_and_keys() {
    let cloud = FakeCloud::new().0;
    let role = |id: &str| {
        made(&cloud, "AWS::IAM::Role", json!({"RoleName": id, "AssumeRolePolicyDocument": trust()}))
    };
    let (role_a, role_b) = (role("a"), role("b"));
    let user = |id: &str| made(&cloud, "AWS::IAM::User", json!({"UserName": id}));
    let (user_a, user_b) = (user("ada"), user("bob"));
    let cases = [
        PropertyTable::on(
            "AWS::IAM::Policy",
            &cloud,
            json!({"PolicyName": "p", "PolicyDocument": allow("s3:*"), "Roles": [role_a], "Users": [user_a]}),
        )
        .changes(vec![
                json!({"PolicyName": "q"}),
                json!({"PolicyDocument": other()}),
                json!({"Roles": [role_b]}),
                json!({"Users": [user_a, user_b]}),
                json!({"Users": null}),
            ]),
        PropertyTable::on(
            "AWS::IAM::ManagedPolicy",
            &cloud,
            json!({
                "ManagedPolicyName": "m", "Description": "d", "Path": "/", "PolicyDocument": allow("s3:*"), "Roles": [role_a],
                "Users": [user_a],
            }),
        )
        .changes(vec![
            json!({"PolicyDocument": other()}),
            json!({"Roles": [role_b]}),
            json!({"Roles": null}),
            json!({"Users": [user_a, user_b]}),
        ]),
        PropertyTable::on(
            "AWS::IAM::AccessKey",
            &cloud,
            json!({"UserName": user_a, "Serial": 1}),
        )
        .changes(vec![json!({"Status": "Inactive"})]),
    ];
    cases.iter().for_each(PropertyTable::check);
}

#[test]
fn changed_path_of_user_changes_the_arn() {
    let cloud = FakeCloud::new().0;
    let mut user = cloud.create_resource("AWS::IAM::User", json!({"UserName": "ada"})).unwrap();
    cloud.update_resource(&mut user, json!({"UserName": "ada", "Path": "/team/"})).unwrap();
    assert_eq!(user.created.attribute("Arn").unwrap(), "arn:aws:iam::000000000000:user/team/ada");
}

#[test]
fn single_policies_change_their_document() {
    let cloud = FakeCloud::new();
    cloud.0.ok("CreateRole", json!({"RoleName": "app", "AssumeRolePolicyDocument": trust().to_string()}));
    cloud.0.ok("CreateUser", json!({"UserName": "app"}));
    for (type_name, holder) in [("AWS::IAM::RolePolicy", "RoleName"), ("AWS::IAM::UserPolicy", "UserName")] {
        let before = json!({holder: "app", "PolicyName": "own", "PolicyDocument": allow("s3:GetObject")});
        let changes = vec![json!({"PolicyDocument": allow("s3:PutObject")})];
        PropertyTable::on(type_name, &cloud.0, before.clone()).changes(changes).check();
        let resource = cloud.0.create_resource(type_name, before).unwrap();
        assert_eq!(resource.created.physical_id, "own|app");
        cloud.0.delete_resource(&resource).unwrap();
        cloud.0.delete_resource(&resource).unwrap();
        assert_eq!(cloud.0.read_resource(&resource), Value::Null);
        let bare = cloud.create(type_name, json!({holder: "app", "PolicyName": "own"}));
        assert!(bare.unwrap_err().message.contains("PolicyDocument"));
        let nobody = json!({holder: "nobody", "PolicyName": "own", "PolicyDocument": allow("s3:*")});
        assert_eq!(cloud.create(type_name, nobody).unwrap_err().code, "NoSuchEntity");
    }
}

#[test]
fn renamed_inline_policy_leaves_no_old_policy() {
    let cloud = FakeCloud::new().0;
    let role = json!({"RoleName": "r", "AssumeRolePolicyDocument": trust()});
    cloud.create_resource("AWS::IAM::Role", role).unwrap();
    let policy = |name: &str| json!({"PolicyName": name, "PolicyDocument": allow("s3:*"), "Roles": ["r"]});
    let mut resource = cloud.create_resource("AWS::IAM::Policy", policy("old")).unwrap();
    cloud.update_resource(&mut resource, policy("new")).unwrap();
    assert_eq!(cloud.ok("ListRolePolicies", json!({"RoleName": "r"}))["PolicyNames"], json!(["new"]));
    cloud.delete_resource(&resource).unwrap();
    assert_eq!(cloud.ok("ListRolePolicies", json!({"RoleName": "r"}))["PolicyNames"], json!([]));
}

#[test]
fn sixth_version_of_managed_policy_replaces_the_oldest() {
    let cloud = FakeCloud::new().0;
    let policy = |action: &str| json!({"PolicyDocument": allow(action)});
    let mut resource = cloud.create_resource("AWS::IAM::ManagedPolicy", policy("s3:*")).unwrap();
    for action in ["sqs:*", "sns:*", "ecs:*", "ecr:*", "ec2:*"] {
        cloud.update_resource(&mut resource, policy(action)).unwrap();
    }
    assert_eq!(resource.created.attribute("DefaultVersionId").unwrap(), "v6");
    let versions = cloud.ok("ListPolicyVersions", json!({"PolicyArn": resource.created.physical_id}));
    let ids: Vec<_> =
        versions["Versions"].as_array().unwrap().iter().map(|version| &version["VersionId"]).collect();
    assert_eq!(ids, ["v2", "v3", "v4", "v5", "v6"]);
}
