//! The CloudFormation types of IAM. They call IAM's own operations.

mod change;
mod read;
mod single;
#[cfg(test)]
mod tests;

use crate::ops::{
    attach_role_policy::AttachRolePolicy,
    attach_user_policy::AttachUserPolicy,
    create_access_key::CreateAccessKey,
    create_policy::CreatePolicy,
    create_role::CreateRole,
    create_user::CreateUser,
    delete_access_key::DeleteAccessKey,
    delete_policy::DeletePolicy,
    delete_policy_version::DeletePolicyVersion,
    delete_role::DeleteRole,
    delete_role_policy::DeleteRolePolicy,
    delete_user::DeleteUser,
    delete_user_policy::DeleteUserPolicy,
    detach_role_policy::DetachRolePolicy,
    detach_user_policy::DetachUserPolicy,
    get_role::GetRole,
    get_role_policy::{self, GetRolePolicy},
    get_user_policy::{self, GetUserPolicy},
    list_attached_role_policies::{self, ListAttachedRolePolicies},
    list_attached_user_policies::ListAttachedUserPolicies,
    list_entities_for_policy::ListEntitiesForPolicy,
    list_policy_versions::ListPolicyVersions,
    list_role_policies::{self, ListRolePolicies},
    list_user_policies::ListUserPolicies,
    put_role_policy::PutRolePolicy,
    put_user_policy::PutUserPolicy,
    tag_role::TagRole,
    tag_user::TagUser,
    untag_role::UntagRole,
    untag_user::UntagUser,
    update_access_key::UpdateAccessKey,
};
use escale_base::{
    AwsError, already_gone, found,
    wire::{Value, Wire},
};
use escale_service::{Created, Cx, InputDraft, Named, Operation, Props, ResourceType};
use escale_tables::iam::PolicyName;

/// The attributes of an inline policy that its deletion needs.
const ROLES: &str = "Roles";
const USERS: &str = "Users";
const POLICY_NAME: &str = "PolicyName";
const SERIAL: &str = "Serial";

pub(crate) fn types() -> Vec<ResourceType> {
    let mut all = vec![
        ResourceType::new(
            "AWS::IAM::Role",
            &[
                "AssumeRolePolicyDocument",
                "Description",
                "ManagedPolicyArns",
                "MaxSessionDuration",
                "Path",
                "Policies",
                "RoleName",
                "Tags",
            ],
            create_role,
            |cx, created| delete_entity::<OfRole>(cx, &created.physical_id),
        )
        .update(change::role)
        .read(read::role)
        .adopt(|cx, name, _| {
            let role = OfRole::of::<GetRole>(name).call(cx)?.role;
            Ok(Created::new(name).with("Arn", role.arn).with("RoleId", role.role_id.0))
        }),
        ResourceType::new(
            "AWS::IAM::User",
            &["ManagedPolicyArns", "Path", "Policies", "Tags", "UserName"],
            create_user,
            |cx, created| delete_entity::<OfUser>(cx, &created.physical_id),
        )
        .update(change::user)
        .read(read::user),
        ResourceType::new(
            "AWS::IAM::Policy",
            &["PolicyDocument", "PolicyName", "Roles", "Users"],
            create_inline_policy,
            delete_inline_policy,
        )
        .update(change::inline_policy)
        .read(read::inline_policy),
        ResourceType::new(
            "AWS::IAM::ManagedPolicy",
            &["Description", "ManagedPolicyName", "Path", "PolicyDocument", "Roles", "Users"],
            create_managed_policy,
            delete_managed_policy,
        )
        .update(change::managed_policy)
        .read(read::managed_policy),
        ResourceType::new(
            "AWS::IAM::AccessKey",
            &["Serial", "Status", "UserName"],
            create_access_key,
            delete_access_key,
        )
        .update(change::access_key)
        .read(read::access_key),
    ];
    all.extend(single::types());
    all
}

/// The operations on the policies of a role or a user.
trait Entity {
    /// The parameter of all these operations that names the role or user.
    const NAME: &'static str;
    type Put: Named;
    type GetInline: Named;
    type ListInline: Named<Output = list_role_policies::Output>;
    type DeleteInline: Named;
    type Attach: Named;
    type ListAttached: Named<Output = list_attached_role_policies::Output>;
    type Detach: Named;
    type Tag: Named;
    type Untag: Named;
    type Delete: Named;

    /// The percent-encoded document of an inline policy.
    fn document(got: <Self::GetInline as Operation>::Output) -> String;

    fn of<O: Named>(name: &str) -> InputDraft<O> {
        InputDraft::new().with(Self::NAME, &name.to_owned())
    }
}

struct OfRole;

impl Entity for OfRole {
    const NAME: &'static str = "RoleName";
    type Put = PutRolePolicy;
    type GetInline = GetRolePolicy;
    type ListInline = ListRolePolicies;
    type DeleteInline = DeleteRolePolicy;
    type Attach = AttachRolePolicy;
    type ListAttached = ListAttachedRolePolicies;
    type Detach = DetachRolePolicy;
    type Tag = TagRole;
    type Untag = UntagRole;
    type Delete = DeleteRole;

    fn document(got: get_role_policy::Output) -> String {
        got.policy_document
    }
}

struct OfUser;

impl Entity for OfUser {
    const NAME: &'static str = "UserName";
    type Put = PutUserPolicy;
    type GetInline = GetUserPolicy;
    type ListInline = ListUserPolicies;
    type DeleteInline = DeleteUserPolicy;
    type Attach = AttachUserPolicy;
    type ListAttached = ListAttachedUserPolicies;
    type Detach = DetachUserPolicy;
    type Tag = TagUser;
    type Untag = UntagUser;
    type Delete = DeleteUser;

    fn document(got: get_user_policy::Output) -> String {
        got.policy_document
    }
}

fn create_role(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let name = props.name_or_generated("RoleName", 64);
    let members = ["AssumeRolePolicyDocument", "Path", "Description", "MaxSessionDuration"];
    let input = props.input::<CreateRole>(&members).with("RoleName", &name);
    let role = input.with("Tags", &props.tags()?).call(cx)?.role;
    add_policies::<OfRole>(cx, &name, props)?;
    Ok(Created::new(name).with("Arn", role.arn).with("RoleId", role.role_id.0))
}

fn create_user(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let name = props.name_or_generated("UserName", 64);
    let input = props.input::<CreateUser>(&["Path"]).with("UserName", &name);
    let user = input.with("Tags", &props.tags()?).call(cx)?.user;
    add_policies::<OfUser>(cx, &name, props)?;
    Ok(Created::new(name).with("Arn", user.arn))
}

#[derive(PartialEq, Wire)]
struct InlinePolicy {
    policy_name: PolicyName,
    /// An object or a JSON string.
    policy_document: Value,
}

/// Adds the `Policies` and `ManagedPolicyArns` of a role or user.
fn add_policies<E: Entity>(cx: &mut Cx<'_>, name: &str, props: &Props<'_>) -> Result<(), AwsError> {
    for policy in props.read::<Vec<InlinePolicy>>("Policies")? {
        let input = E::of::<E::Put>(name).with("PolicyName", &policy.policy_name);
        input.with("PolicyDocument", &policy.policy_document).call(cx)?;
    }
    for arn in props.read::<Vec<String>>("ManagedPolicyArns")? {
        E::of::<E::Attach>(name).with("PolicyArn", &arn).call(cx)?;
    }
    Ok(())
}

/// Removes the policies of a role or user, then deletes it.
fn delete_entity<E: Entity>(cx: &mut Cx<'_>, name: &str) -> Result<(), AwsError> {
    loop {
        let Some(inline) = found(E::of::<E::ListInline>(name).call(cx))? else { return Ok(()) };
        for policy in inline.policy_names {
            E::of::<E::DeleteInline>(name).with("PolicyName", &policy).call(cx)?;
        }
        if !inline.is_truncated {
            break;
        }
    }
    // One page: the quota of attached policies is smaller than a page.
    for policy in E::of::<E::ListAttached>(name).call(cx)?.attached_policies {
        E::of::<E::Detach>(name).with("PolicyArn", &policy.policy_arn).call(cx)?;
    }
    E::of::<E::Delete>(name).call(cx).map(drop)
}

fn create_inline_policy(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    fn put<E: Entity>(cx: &mut Cx<'_>, props: &Props<'_>, names: &[String]) -> Result<(), AwsError> {
        names.iter().try_for_each(|name| {
            let input = props.input::<E::Put>(&["PolicyName", "PolicyDocument"]);
            input.with(E::NAME, name).call(cx).map(drop)
        })
    }
    let name = props.text("PolicyName")?;
    let (roles, users) = (props.read::<Vec<String>>(ROLES)?, props.read::<Vec<String>>(USERS)?);
    put::<OfRole>(cx, props, &roles)?;
    put::<OfUser>(cx, props, &users)?;
    Ok(Created::new(name)
        .with_private(POLICY_NAME, name)
        .with_private(ROLES, roles)
        .with_private(USERS, users))
}

fn delete_inline_policy(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    fn delete<E: Entity>(cx: &mut Cx<'_>, created: &Created, list: &str) -> Result<(), AwsError> {
        let policy = created.attribute(POLICY_NAME)?.to_owned();
        for name in created.private_list(list) {
            // The role or user may be deleted already, and its inline policies with it.
            already_gone(E::of::<E::DeleteInline>(name).with("PolicyName", &policy).call(cx))?;
        }
        Ok(())
    }
    delete::<OfRole>(cx, created, ROLES)?;
    delete::<OfUser>(cx, created, USERS)
}

fn create_managed_policy(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let input = props.input::<CreatePolicy>(&["PolicyDocument", "Path", "Description"]);
    let policy =
        input.with("PolicyName", &props.name_or_generated("ManagedPolicyName", 128)).call(cx)?.policy;
    for name in props.read::<Vec<String>>(ROLES)? {
        OfRole::of::<AttachRolePolicy>(&name).with("PolicyArn", &policy.arn).call(cx)?;
    }
    for name in props.read::<Vec<String>>(USERS)? {
        OfUser::of::<AttachUserPolicy>(&name).with("PolicyArn", &policy.arn).call(cx)?;
    }
    Ok(Created::new(policy.arn.as_str())
        .with("PolicyArn", policy.arn.0)
        .with("PolicyId", policy.policy_id.ok_or_else(AwsError::internal)?.0)
        .with("DefaultVersionId", policy.default_version_id.0))
}

fn delete_managed_policy(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    let arn = &created.physical_id;
    let entities = InputDraft::<ListEntitiesForPolicy>::new().with("PolicyArn", arn).call(cx);
    // A policy that does not exist any more has no attachments or versions, either.
    let Some(entities) = found(entities)? else { return Ok(()) };
    for role in entities.policy_roles {
        OfRole::of::<DetachRolePolicy>(&role.role_name).with("PolicyArn", arn).call(cx)?;
    }
    for user in entities.policy_users {
        OfUser::of::<DetachUserPolicy>(&user.user_name).with("PolicyArn", arn).call(cx)?;
    }
    let versions = InputDraft::<ListPolicyVersions>::new().with("PolicyArn", arn).call(cx)?.versions;
    // IAM deletes the default version only with the policy.
    for version in versions.iter().filter(|version| !version.is_default_version) {
        let input = InputDraft::<DeletePolicyVersion>::new().with("PolicyArn", arn);
        input.with("VersionId", &version.version_id).call(cx)?;
    }
    InputDraft::<DeletePolicy>::new().with("PolicyArn", arn).call(cx).map(drop)
}

fn create_access_key(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let user = props.text("UserName")?;
    let key = props.input::<CreateAccessKey>(&["UserName"]).call(cx)?.access_key;
    if props.get("Status").is_some() {
        let input = props.input::<UpdateAccessKey>(&["UserName", "Status"]);
        input.with("AccessKeyId", &key.access_key_id).call(cx)?;
    }
    let created = Created::new(key.access_key_id)
        .with("SecretAccessKey", key.secret_access_key.into_inner())
        .with_private("UserName", user);
    // No operation knows it.
    Ok(match props.get(SERIAL) {
        Some(serial) => created.with_private(SERIAL, serial.clone()),
        None => created,
    })
}

fn delete_access_key(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    let input = InputDraft::<DeleteAccessKey>::new().with("AccessKeyId", &created.physical_id);
    already_gone(input.with("UserName", &created.attribute("UserName")?.to_owned()).call(cx))
}
