//! The properties of the resources as they are now.

use super::{Entity, InlinePolicy, OfRole, OfUser, POLICY_NAME, ROLES, SERIAL, USERS};
use crate::ops::{
    get_policy::GetPolicy, get_policy_version::GetPolicyVersion, get_role::GetRole, get_user::GetUser,
    list_access_keys::ListAccessKeys, list_entities_for_policy::ListEntitiesForPolicy,
};
use escale_base::{
    AwsError, found, path,
    wire::{self, Map, Value},
};
use escale_service::{Created, Cx, InputDraft, properties_of};

type Read = Result<Option<Map<String, Value>>, AwsError>;

pub(super) fn role(cx: &mut Cx<'_>, created: &Created) -> Read {
    let name = &created.physical_id;
    let Some(got) = found(OfRole::of::<GetRole>(name).call(cx))? else { return Ok(None) };
    let mut properties = properties_of("AWS::IAM::Role", &got.role, &[]);
    let trust = document(&got.role.assume_role_policy_document)?;
    properties.insert("AssumeRolePolicyDocument".into(), trust);
    policies::<OfRole>(cx, name, &mut properties)?;
    Ok(Some(properties))
}

pub(super) fn user(cx: &mut Cx<'_>, created: &Created) -> Read {
    let name = &created.physical_id;
    let Some(got) = found(OfUser::of::<GetUser>(name).call(cx))? else { return Ok(None) };
    let mut properties = properties_of("AWS::IAM::User", &got.user, &[]);
    policies::<OfUser>(cx, name, &mut properties)?;
    Ok(Some(properties))
}

fn policies<E: Entity>(
    cx: &mut Cx<'_>,
    name: &str,
    properties: &mut Map<String, Value>,
) -> Result<(), AwsError> {
    let mut inline = Vec::new();
    let mut marker = None;
    loop {
        let page = E::of::<E::ListInline>(name).with("Marker", &marker).call(cx)?;
        for policy_name in page.policy_names {
            let got = E::of::<E::GetInline>(name).with(POLICY_NAME, &policy_name).call(cx)?;
            inline.push(InlinePolicy { policy_name, policy_document: document(&E::document(got))? });
        }
        marker = page.marker;
        if marker.is_none() {
            break;
        }
    }
    wire::put(properties, "Policies", &inline);
    // One page: the quota of attached policies is smaller than a page.
    let attached = E::of::<E::ListAttached>(name).call(cx)?.attached_policies;
    let arns: Vec<_> = attached.into_iter().map(|policy| policy.policy_arn).collect();
    wire::put(properties, "ManagedPolicyArns", &arns);
    Ok(())
}

/// The document of the first role or user that has the policy, and the roles and users with this document: one that has another
/// document does not have the policy of the template.
pub(super) fn inline_policy(cx: &mut Cx<'_>, created: &Created) -> Read {
    fn holders<E: Entity>(
        cx: &mut Cx<'_>,
        created: &Created,
        list: &str,
        common: &mut Option<Value>,
    ) -> Result<Vec<String>, AwsError> {
        let policy = created.attribute(POLICY_NAME)?.to_owned();
        let mut holders = Vec::new();
        for name in created.private_list(list) {
            let got = E::of::<E::GetInline>(name).with(POLICY_NAME, &policy).call(cx);
            let Some(got) = found(got)? else { continue };
            let text = document(&E::document(got))?;
            if *common.get_or_insert_with(|| text.clone()) == text {
                holders.push(name.to_owned());
            }
        }
        Ok(holders)
    }
    let mut common = None;
    let roles = holders::<OfRole>(cx, created, ROLES, &mut common)?;
    let users = holders::<OfUser>(cx, created, USERS, &mut common)?;
    let Some(common) = common else { return Ok(None) };
    let mut properties = Map::new();
    properties.insert("PolicyDocument".into(), common);
    wire::put(&mut properties, POLICY_NAME, &created.attribute(POLICY_NAME)?.to_owned());
    wire::put(&mut properties, ROLES, &roles);
    wire::put(&mut properties, USERS, &users);
    Ok(Some(properties))
}

pub(super) fn managed_policy(cx: &mut Cx<'_>, created: &Created) -> Read {
    let arn = &created.physical_id;
    let got = InputDraft::<GetPolicy>::new().with("PolicyArn", arn).call(cx);
    let Some(got) = found(got)? else { return Ok(None) };
    let policy = got.policy;
    let mut properties =
        properties_of("AWS::IAM::ManagedPolicy", &policy, &[("ManagedPolicyName", "PolicyName")]);
    let input = InputDraft::<GetPolicyVersion>::new().with("PolicyArn", arn);
    let version = input.with("VersionId", &policy.default_version_id).call(cx)?.policy_version;
    let text = version.document.ok_or_else(AwsError::internal)?;
    properties.insert("PolicyDocument".into(), document(&text)?);
    let entities = InputDraft::<ListEntitiesForPolicy>::new().with("PolicyArn", arn).call(cx)?;
    let roles: Vec<_> = entities.policy_roles.into_iter().map(|role| role.role_name).collect();
    let users: Vec<_> = entities.policy_users.into_iter().map(|user| user.user_name).collect();
    wire::put(&mut properties, ROLES, &roles);
    wire::put(&mut properties, USERS, &users);
    Ok(Some(properties))
}

pub(super) fn access_key(cx: &mut Cx<'_>, created: &Created) -> Read {
    let user = created.attribute("UserName")?.to_owned();
    // One page: a user has two keys at most.
    let Some(listed) = found(OfUser::of::<ListAccessKeys>(&user).call(cx))? else { return Ok(None) };
    let own = listed.access_key_metadata.iter().find(|key| *key.access_key_id == *created.physical_id);
    Ok(own.map(|key| {
        let mut properties = properties_of("AWS::IAM::AccessKey", key, &[]);
        if let Some(serial) = created.private.get(SERIAL) {
            properties.insert(SERIAL.into(), serial.clone());
        }
        properties
    }))
}

/// A document as the API returns it, percent-encoded.
pub(super) fn document(encoded: &str) -> Result<Value, AwsError> {
    let text = path::decode_once(encoded).map_err(|_| AwsError::internal())?;
    Ok(serde_json::from_str(&text).unwrap_or(Value::String(text)))
}
