//! Updates of the resources of a stack.

use super::{Entity, InlinePolicy, OfRole, OfUser, POLICY_NAME, ROLES, USERS};
use crate::ops::{
    create_policy_version::{CreatePolicyVersion, VERSIONS_MAX},
    create_role::SESSION_SECS,
    delete_policy_version::DeletePolicyVersion,
    get_user::GetUser,
    list_policy_versions::ListPolicyVersions,
    update_access_key::UpdateAccessKey,
    update_assume_role_policy::UpdateAssumeRolePolicy,
    update_role::UpdateRole,
    update_user::UpdateUser,
};
use escale_base::{AwsError, already_gone};
use escale_service::{Created, Cx, InputDraft, Update};

pub(super) fn role(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    let name = &update.created.physical_id;
    if update.any_changed(&["Description", "MaxSessionDuration"]) {
        // A member without a value would keep the role's current one, so the defaults are written.
        let description = update.after.str("Description").unwrap_or_default().to_owned();
        let session = update.after.read::<Option<i32>>("MaxSessionDuration")?.unwrap_or(SESSION_SECS);
        let input = OfRole::of::<UpdateRole>(name).with("Description", &description);
        input.with("MaxSessionDuration", &session).call(cx)?;
    }
    if update.changed("AssumeRolePolicyDocument") {
        let input = OfRole::of::<UpdateAssumeRolePolicy>(name);
        input.with("PolicyDocument", &update.after.document("AssumeRolePolicyDocument")).call(cx)?;
    }
    policies_and_tags::<OfRole>(cx, name, update)?;
    Ok(update.created.clone())
}

pub(super) fn user(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    let name = &update.created.physical_id;
    let mut created = update.created.clone();
    if update.changed("Path") {
        let path = update.after.str("Path").unwrap_or("/").to_owned();
        OfUser::of::<UpdateUser>(name).with("NewPath", &path).call(cx)?;
        // The ARN contains the path.
        let arn = OfUser::of::<GetUser>(name).call(cx)?.user.arn;
        created = created.with("Arn", arn);
    }
    policies_and_tags::<OfUser>(cx, name, update)?;
    Ok(created)
}

fn policies_and_tags<E: Entity>(cx: &mut Cx<'_>, name: &str, update: &Update<'_>) -> Result<(), AwsError> {
    // Old documents are deleted before new ones are put: together they could exceed the quota on their size.
    let (old, new) = update.list::<InlinePolicy>("Policies")?;
    for policy in old {
        let input = E::of::<E::DeleteInline>(name).with(POLICY_NAME, &policy.policy_name);
        already_gone(input.call(cx))?;
    }
    for policy in new {
        let input = E::of::<E::Put>(name).with(POLICY_NAME, &policy.policy_name);
        input.with("PolicyDocument", &policy.policy_document).call(cx)?;
    }
    let (old, new) = update.list::<String>("ManagedPolicyArns")?;
    for arn in old {
        already_gone(E::of::<E::Detach>(name).with("PolicyArn", &arn).call(cx))?;
    }
    for arn in new {
        E::of::<E::Attach>(name).with("PolicyArn", &arn).call(cx)?;
    }
    let (set, removed) = update.tags()?;
    if !removed.is_empty() {
        E::of::<E::Untag>(name).with("TagKeys", &removed).call(cx)?;
    }
    if !set.is_empty() {
        E::of::<E::Tag>(name).with("Tags", &set).call(cx)?;
    }
    Ok(())
}

/// Puts the policy into the roles and users of the new template, and deletes it from those that are not in it any more. After
/// a change of its name the policy with the old name is deleted.
pub(super) fn inline_policy(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    fn one<E: Entity>(cx: &mut Cx<'_>, update: &Update<'_>, list: &str) -> Result<Vec<String>, AwsError> {
        let (new_name, wanted) = (update.after.text(POLICY_NAME)?, update.after.read::<Vec<String>>(list)?);
        let old_name = update.created.attribute(POLICY_NAME)?.to_owned();
        for name in update.created.private_list(list) {
            if old_name != new_name || !wanted.iter().any(|other| other == name) {
                let input = E::of::<E::DeleteInline>(name).with(POLICY_NAME, &old_name);
                already_gone(input.call(cx))?;
            }
        }
        for name in &wanted {
            let input = update.after.input::<E::Put>(&[POLICY_NAME, "PolicyDocument"]);
            input.with(E::NAME, name).call(cx)?;
        }
        Ok(wanted)
    }
    let (roles, users) = (one::<OfRole>(cx, update, ROLES)?, one::<OfUser>(cx, update, USERS)?);
    let name = update.after.text(POLICY_NAME)?;
    Ok(update
        .created
        .clone()
        .with_private(POLICY_NAME, name)
        .with_private(ROLES, roles)
        .with_private(USERS, users))
}

pub(super) fn managed_policy(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    let arn = &update.created.physical_id;
    let mut created = update.created.clone();
    if update.changed("PolicyDocument") {
        make_room_for_a_version(cx, arn)?;
        let input = update.after.input::<CreatePolicyVersion>(&["PolicyDocument"]).with("PolicyArn", arn);
        let made = input.with("SetAsDefault", &true).call(cx)?.policy_version;
        created = created.with("DefaultVersionId", made.version_id.0);
    }
    attachments::<OfRole>(cx, arn, update, ROLES)?;
    attachments::<OfUser>(cx, arn, update, USERS)?;
    Ok(created)
}

/// A policy has a limited number of versions, so the oldest one that is not in force is deleted, as CloudFormation does:
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-managedpolicy.html>
fn make_room_for_a_version(cx: &mut Cx<'_>, arn: &String) -> Result<(), AwsError> {
    let versions = InputDraft::<ListPolicyVersions>::new().with("PolicyArn", arn).call(cx)?.versions;
    if versions.len() < VERSIONS_MAX {
        return Ok(());
    }
    let Some(oldest) = versions.iter().find(|version| !version.is_default_version) else { return Ok(()) };
    let input = InputDraft::<DeletePolicyVersion>::new().with("PolicyArn", arn);
    input.with("VersionId", &oldest.version_id).call(cx).map(drop)
}

fn attachments<E: Entity>(
    cx: &mut Cx<'_>,
    arn: &String,
    update: &Update<'_>,
    list: &str,
) -> Result<(), AwsError> {
    let (old, new) = update.list::<String>(list)?;
    for name in old {
        already_gone(E::of::<E::Detach>(&name).with("PolicyArn", arn).call(cx))?;
    }
    for name in new {
        E::of::<E::Attach>(&name).with("PolicyArn", arn).call(cx)?;
    }
    Ok(())
}

pub(super) fn access_key(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    let user = update.created.attribute("UserName")?.to_owned();
    if update.changed("Status") {
        let status = update.after.str("Status").unwrap_or("Active").to_owned();
        let input = OfUser::of::<UpdateAccessKey>(&user).with("Status", &status);
        input.with("AccessKeyId", &update.created.physical_id).call(cx)?;
    }
    Ok(update.created.clone())
}
