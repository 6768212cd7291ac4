//! The operations of IAM, one module each.

use crate::Error;
use escale_service::{Cx, Principal};
use escale_tables::iam::{
    AccessKey, AccessKeyId, Holder, Policy, PolicyArn, PolicyVersion, PolicyVersionId, UserName,
};
use std::sync::Arc;

escale_service::operations! { "iam";
    AttachRolePolicy => attach_role_policy,
    AttachUserPolicy => attach_user_policy,
    CreateAccessKey => create_access_key,
    CreatePolicy => create_policy,
    CreatePolicyVersion => create_policy_version,
    CreateRole => create_role,
    CreateServiceLinkedRole => create_service_linked_role,
    CreateUser => create_user,
    DeleteAccessKey => delete_access_key,
    DeletePolicy => delete_policy,
    DeletePolicyVersion => delete_policy_version,
    DeleteRole => delete_role,
    DeleteRolePolicy => delete_role_policy,
    DeleteUser => delete_user,
    DeleteUserPolicy => delete_user_policy,
    DetachRolePolicy => detach_role_policy,
    DetachUserPolicy => detach_user_policy,
    GetAccountSummary => get_account_summary,
    GetPolicy => get_policy,
    GetPolicyVersion => get_policy_version,
    GetRole => get_role,
    GetRolePolicy => get_role_policy,
    GetUser => get_user,
    GetUserPolicy => get_user_policy,
    ListAccessKeys => list_access_keys,
    ListAccountAliases => list_account_aliases,
    ListAttachedRolePolicies => list_attached_role_policies,
    ListAttachedUserPolicies => list_attached_user_policies,
    ListEntitiesForPolicy => list_entities_for_policy,
    ListGroupsForUser => list_groups_for_user,
    ListInstanceProfilesForRole => list_instance_profiles_for_role,
    ListPolicies => list_policies,
    ListPolicyTags => list_policy_tags,
    ListPolicyVersions => list_policy_versions,
    ListRolePolicies => list_role_policies,
    ListRoleTags => list_role_tags,
    ListRoles => list_roles,
    ListUserPolicies => list_user_policies,
    ListUserTags => list_user_tags,
    ListUsers => list_users,
    PutRolePolicy => put_role_policy,
    PutUserPolicy => put_user_policy,
    SetDefaultPolicyVersion => set_default_policy_version,
    SimulatePrincipalPolicy => simulate_principal_policy,
    TagPolicy => tag_policy,
    TagRole => tag_role,
    TagUser => tag_user,
    UntagPolicy => untag_policy,
    UntagRole => untag_role,
    UntagUser => untag_user,
    UpdateAccessKey => update_access_key,
    UpdateAssumeRolePolicy => update_assume_role_policy,
    UpdateRole => update_role,
    UpdateUser => update_user,
}

/// A customer managed policy.
fn policy(cx: &Cx<'_>, arn: &PolicyArn) -> Result<Arc<Policy>, Error> {
    let missing = || Error::NoSuch(format!("Policy {arn} was not found."));
    cx.tx.get::<Policy>(arn).ok_or_else(missing)
}

fn version<'a>(policy: &'a Policy, id: &PolicyVersionId) -> Result<&'a PolicyVersion, Error> {
    let missing =
        || Error::NoSuch(format!("Policy {} version {id} does not exist or is not attachable.", policy.arn));
    policy.version(id).ok_or_else(missing)
}

/// The user of a request: the named one, or the caller.
fn user_or_caller(cx: &Cx<'_>, name: Option<UserName>) -> Result<UserName, Error> {
    match (name, &cx.caller.principal) {
        (Some(name), _) => Ok(name),
        (None, Principal::User { name }) => Ok(name.as_str().into()),
        (None, _) => {
            Err(Error::Validation("Must specify userName when calling with non-User credentials".to_owned()))
        }
    }
}

/// An access key of this user.
fn key_of(cx: &Cx<'_>, user: &UserName, id: &AccessKeyId) -> Result<Arc<AccessKey>, Error> {
    let held = Holder::User(user.clone());
    let missing = || Error::NoSuch(format!("The Access Key with id {id} cannot be found."));
    cx.tx.get::<AccessKey>(id).filter(|k| k.holder == held).ok_or_else(missing)
}
