//! `AWS::IAM::…`, in terms of IAM's own operations.

use escale_base::{AwsError, ErrorKind, found, wire::Value};
use escale_service::{Created, Cx, Props, Readiness, ResourceType, answer};
use escale_store::Image;
use serde_json::{Map, json};

/// Names of what an inline policy was laid on, kept for its deletion.
const ROLES: &str = "Roles";
const USERS: &str = "Users";
const POLICY_NAME: &str = "PolicyName";

pub(crate) fn types() -> Vec<ResourceType> {
    vec![
        ResourceType {
            name: "AWS::IAM::Role",
            properties: &[
                "AssumeRolePolicyDocument",
                "Description",
                "ManagedPolicyArns",
                "MaxSessionDuration",
                "Path",
                "Policies",
                "RoleName",
                "Tags",
            ],
            create: create_role,
            ready: at_once,
            delete: |cx, created| delete_bearer(cx, &ROLE, &created.physical_id),
            gone: at_once,
        },
        ResourceType {
            name: "AWS::IAM::User",
            properties: &["ManagedPolicyArns", "Path", "Policies", "Tags", "UserName"],
            create: create_user,
            ready: at_once,
            delete: |cx, created| delete_bearer(cx, &USER, &created.physical_id),
            gone: at_once,
        },
        ResourceType {
            name: "AWS::IAM::Policy",
            properties: &["PolicyDocument", "PolicyName", "Roles", "Users"],
            create: create_inline_policy,
            ready: at_once,
            delete: delete_inline_policy,
            gone: at_once,
        },
        ResourceType {
            name: "AWS::IAM::ManagedPolicy",
            properties: &["Description", "ManagedPolicyName", "Path", "PolicyDocument", "Roles", "Users"],
            create: create_managed_policy,
            ready: at_once,
            delete: delete_managed_policy,
            gone: at_once,
        },
        ResourceType {
            name: "AWS::IAM::AccessKey",
            properties: &["Serial", "Status", "UserName"],
            create: create_access_key,
            ready: at_once,
            delete: delete_access_key,
            gone: at_once,
        },
    ]
}

/// Rows are all there is to them: what is written is true.
fn at_once(_: &Image, _: &Created) -> Readiness {
    Readiness::ready()
}

/// The words of one kind of bearer of policies.
struct Words {
    kind: &'static str,
    name: &'static str,
}

const ROLE: Words = Words { kind: "Role", name: "RoleName" };
const USER: Words = Words { kind: "User", name: "UserName" };

impl Words {
    /// Calls the operation made of `before`, the kind, and `after`.
    fn call(
        &self,
        cx: &mut Cx<'_>,
        (before, after): (&str, &str),
        name: &str,
        more: &[(&str, &Value)],
    ) -> Result<Value, AwsError> {
        let mut input = Map::new();
        input.insert(self.name.to_owned(), name.into());
        input.extend(more.iter().map(|(k, v)| ((*k).to_owned(), (*v).clone())));
        cx.call_untyped("iam", &format!("{before}{}{after}", self.kind), Value::Object(input))
    }
}

fn create_role(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let name = props.name_or_generated("RoleName", 64);
    let mut input = Map::new();
    input.insert("RoleName".into(), name.as_str().into());
    let trust = document(props.required("AssumeRolePolicyDocument")?);
    input.insert("AssumeRolePolicyDocument".into(), trust);
    copy(props, &mut input, &["Path", "Description"]);
    if let Some(secs) = props.int("MaxSessionDuration") {
        input.insert("MaxSessionDuration".into(), secs.into());
    }
    input.insert("Tags".into(), props.tags());
    let answer = cx.call_untyped("iam", "CreateRole", Value::Object(input))?;
    lay_policies(cx, &ROLE, &name, props)?;
    let role = &answer["Role"];
    Ok(Created::new(name).with("Arn", role["Arn"].clone()).with("RoleId", role["RoleId"].clone()))
}

fn create_user(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let name = props.name_or_generated("UserName", 64);
    let mut input = Map::new();
    input.insert("UserName".into(), name.as_str().into());
    copy(props, &mut input, &["Path"]);
    input.insert("Tags".into(), props.tags());
    let answer = cx.call_untyped("iam", "CreateUser", Value::Object(input))?;
    lay_policies(cx, &USER, &name, props)?;
    Ok(Created::new(name).with("Arn", answer["User"]["Arn"].clone()))
}

/// `Policies` and `ManagedPolicyArns` of a role or user.
fn lay_policies(cx: &mut Cx<'_>, words: &Words, name: &str, props: &Props<'_>) -> Result<(), AwsError> {
    for policy in list(props, "Policies")? {
        let (Some(policy_name), Some(text)) = (policy.get("PolicyName"), policy.get("PolicyDocument")) else {
            return Err(invalid(props, "Policies", "each needs a PolicyName and a PolicyDocument"));
        };
        let more = [("PolicyName", policy_name), ("PolicyDocument", &document(text))];
        words.call(cx, ("Put", "Policy"), name, &more)?;
    }
    for arn in list(props, "ManagedPolicyArns")? {
        words.call(cx, ("Attach", "Policy"), name, &[("PolicyArn", arn)])?;
    }
    Ok(())
}

/// Takes off what hangs on it, then deletes it.
fn delete_bearer(cx: &mut Cx<'_>, words: &Words, name: &str) -> Result<(), AwsError> {
    // Their numbers are bounded by quotas below one page.
    let Some(inline) = found(words.call(cx, ("List", "Policies"), name, &[]))? else { return Ok(()) };
    for policy in each(&inline, "PolicyNames") {
        words.call(cx, ("Delete", "Policy"), name, &[("PolicyName", policy)])?;
    }
    let attached = words.call(cx, ("ListAttached", "Policies"), name, &[])?;
    for policy in each(&attached, "AttachedPolicies") {
        words.call(cx, ("Detach", "Policy"), name, &[("PolicyArn", &policy["PolicyArn"])])?;
    }
    words.call(cx, ("Delete", ""), name, &[])?;
    Ok(())
}

fn create_inline_policy(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let policy_name = props.required("PolicyName")?;
    let text = document(props.required("PolicyDocument")?);
    let (roles, users) = bearers(props)?;
    for (words, names) in [(&ROLE, &roles), (&USER, &users)] {
        for name in names {
            words.call(
                cx,
                ("Put", "Policy"),
                name,
                &[("PolicyName", policy_name), ("PolicyDocument", &text)],
            )?;
        }
    }
    Ok(Created::new(props.text("PolicyName")?)
        .with(POLICY_NAME, policy_name.clone())
        .with(ROLES, roles)
        .with(USERS, users))
}

fn delete_inline_policy(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    let policy_name = Value::from(created.attribute(POLICY_NAME));
    for (words, names) in [(&ROLE, ROLES), (&USER, USERS)] {
        for name in created.attributes.get(names).and_then(Value::as_array).into_iter().flatten() {
            let name = answer::text(name, "")?;
            found(words.call(cx, ("Delete", "Policy"), name, &[("PolicyName", &policy_name)]))?;
        }
    }
    Ok(())
}

fn create_managed_policy(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let mut input = Map::new();
    input.insert("PolicyName".into(), props.name_or_generated("ManagedPolicyName", 128).into());
    input.insert("PolicyDocument".into(), document(props.required("PolicyDocument")?));
    copy(props, &mut input, &["Path", "Description"]);
    let answer = cx.call_untyped("iam", "CreatePolicy", Value::Object(input))?;
    let arn = &answer["Policy"]["Arn"];
    let (roles, users) = bearers(props)?;
    for (words, names) in [(&ROLE, roles), (&USER, users)] {
        for name in &names {
            words.call(cx, ("Attach", "Policy"), name, &[("PolicyArn", arn)])?;
        }
    }
    Ok(Created::new(answer::text(&answer, "/Policy/Arn")?)
        .with("PolicyArn", arn.clone())
        .with("PolicyId", answer["Policy"]["PolicyId"].clone())
        .with("DefaultVersionId", answer["Policy"]["DefaultVersionId"].clone()))
}

fn delete_managed_policy(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    let arn = Value::from(created.physical_id.as_str());
    let policy = json!({"PolicyArn": arn});
    let Some(entities) = found(cx.call_untyped("iam", "ListEntitiesForPolicy", policy.clone()))? else {
        return Ok(());
    };
    for (words, list) in [(&ROLE, "PolicyRoles"), (&USER, "PolicyUsers")] {
        for entity in each(&entities, list) {
            let name = answer::text(&entity[words.name], "")?;
            words.call(cx, ("Detach", "Policy"), name, &[("PolicyArn", &arn)])?;
        }
    }
    let versions = cx.call_untyped("iam", "ListPolicyVersions", policy.clone())?;
    for version in each(&versions, "Versions").filter(|v| v["IsDefaultVersion"] != true) {
        let input = json!({"PolicyArn": arn, "VersionId": version["VersionId"]});
        cx.call_untyped("iam", "DeletePolicyVersion", input)?;
    }
    cx.call_untyped("iam", "DeletePolicy", policy)?;
    Ok(())
}

fn create_access_key(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let user = props.required("UserName")?;
    let answer = cx.call_untyped("iam", "CreateAccessKey", json!({"UserName": user}))?;
    let key = &answer["AccessKey"];
    if let Some(status) = props.get("Status") {
        let input = json!({"UserName": user, "AccessKeyId": key["AccessKeyId"], "Status": status});
        cx.call_untyped("iam", "UpdateAccessKey", input)?;
    }
    Ok(Created::new(answer::text(key, "/AccessKeyId")?)
        .with("SecretAccessKey", key["SecretAccessKey"].clone())
        .with("UserName", user.clone()))
}

fn delete_access_key(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    let input = json!({"UserName": created.attribute("UserName"), "AccessKeyId": created.physical_id});
    found(cx.call_untyped("iam", "DeleteAccessKey", input)).map(|_| ())
}

/// A document as text: templates write it as an object.
fn document(value: &Value) -> Value {
    match value {
        Value::String(text) => text.as_str().into(),
        other => other.to_string().into(),
    }
}

fn copy(props: &Props<'_>, input: &mut Map<String, Value>, names: &[&str]) {
    input.extend(names.iter().filter_map(|n| Some(((*n).to_owned(), props.get(n)?.clone()))));
}

/// The names in `Roles` and `Users`.
fn bearers(props: &Props<'_>) -> Result<(Vec<String>, Vec<String>), AwsError> {
    let names = |property| -> Result<Vec<String>, AwsError> {
        Ok(list(props, property)?.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect())
    };
    Ok((names(ROLES)?, names(USERS)?))
}

fn list<'a>(props: &'a Props<'_>, property: &str) -> Result<&'a [Value], AwsError> {
    match props.get(property) {
        None => Ok(&[]),
        Some(Value::Array(items)) => Ok(items),
        Some(_) => Err(invalid(props, property, "is a list")),
    }
}

fn invalid(props: &Props<'_>, property: &str, why: &str) -> AwsError {
    let message = format!("Property {property} of {}: {why}", props.logical_id);
    AwsError::new(ErrorKind::Invalid, "ValidationError", 400, message)
}

fn each<'a>(answer: &'a Value, list: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    answer.get(list).and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Iam;
    use escale_base::{Clock, Secret, Timestamp};
    use escale_service::{Caller, Cloud, Config, Principal};
    use escale_store::Store;
    use escale_tables::iam::{Policy, Role, User};
    use std::sync::Arc;

    struct Harness {
        cloud: Cloud,
        store: Store,
        caller: Caller,
        _dir: tempfile::TempDir,
    }

    fn harness() -> Harness {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("state.db"), &escale_tables::all()).unwrap();
        let (config, clock) = (Config::default(), Clock::by_hand(Timestamp(1)));
        let iam = Iam {
            root_key: "test".into(),
            root_secret: Secret::new("test".into()),
            account: config.account.clone(),
            region: config.region.clone(),
            clock: clock.clone(),
        };
        let cloud = Cloud::new(Arc::new(config), clock, Arc::new(iam.clone()), vec![Arc::new(iam)]);
        let caller = Caller { principal: Principal::Root, ..Caller::service("test") };
        Harness { cloud, store, caller, _dir: dir }
    }

    impl Harness {
        fn create(&self, kind: &str, values: Value) -> Result<Created, AwsError> {
            let create = self.cloud.resource_type(kind).unwrap().create;
            let props = Props {
                values: values.as_object().unwrap(),
                stack_name: "shop",
                logical_id: "Thing",
                stack_tags: &[],
            };
            self.cloud.transact(&self.store, &self.caller, |cx| create(cx, &props)).map_err(|e| e.0)
        }

        fn delete(&self, kind: &str, created: &Created) {
            let delete = self.cloud.resource_type(kind).unwrap().delete;
            for _ in 0..2 {
                // The second time it is gone already.
                self.cloud.transact(&self.store, &self.caller, |cx| delete(cx, created)).unwrap();
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
    fn resources_come_and_go() {
        let h = harness();
        let role = h
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
        assert_eq!(role.attribute("Arn"), format!("arn:aws:iam::000000000000:role/app/{name}"));
        let row = h.store.read().get::<Role>(name).unwrap();
        assert_eq!((row.inline.len(), row.attached.len(), row.max_session_secs), (1, 1, 7200));
        assert_eq!(role.attribute("RoleId"), row.id);

        let user = h.create("AWS::IAM::User", json!({"UserName": "ada"})).unwrap();
        let inline = h
            .create(
                "AWS::IAM::Policy",
                json!({"PolicyName": "more", "PolicyDocument": allow("s3:*"), "Roles": [name], "Users": ["ada"]}),
            )
            .unwrap();
        let managed = h
            .create("AWS::IAM::ManagedPolicy", json!({"PolicyDocument": allow("s3:*"), "Roles": [name]}))
            .unwrap();
        let key = h.create("AWS::IAM::AccessKey", json!({"UserName": "ada"})).unwrap();
        assert_eq!(key.attribute("SecretAccessKey").len(), 40);
        let row = h.store.read().get::<Role>(name).unwrap();
        assert_eq!((row.inline.len(), row.attached.len()), (2, 2));

        for (kind, created) in [
            ("AWS::IAM::AccessKey", &key),
            ("AWS::IAM::ManagedPolicy", &managed),
            ("AWS::IAM::Policy", &inline),
            ("AWS::IAM::User", &user),
            ("AWS::IAM::Role", &role),
        ] {
            h.delete(kind, created);
        }
        let image = h.store.read();
        assert_eq!(image.scan::<Role>().count() + image.scan::<User>().count(), 0);
        assert_eq!(image.scan::<Policy>().count(), 0);
    }

    #[test]
    fn one_refusal_leaves_nothing() {
        let h = harness();
        let error = h
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
        assert!(!h.store.read().has::<Role>("r"));
    }
}
