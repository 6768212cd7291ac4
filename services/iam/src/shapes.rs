//! Shapes that several operations return.

use crate::{Error, aws_managed::AwsManaged, entity, paging};
use escale_base::{Tag, Timestamp, Wire};
use escale_service::Config;
use escale_store::Image;
use escale_tables::iam::{
    IamPath, Policy, PolicyArn, PolicyId, PolicyName, PolicyVersion, PolicyVersionId, Role, RoleId, RoleName,
    User, UserId, UserName,
};

#[derive(Debug, Wire)]
pub(crate) struct RoleShape {
    pub path: IamPath,
    pub role_name: RoleName,
    pub role_id: RoleId,
    pub arn: String,
    pub create_date: Timestamp,
    pub assume_role_policy_document: String,
    pub description: Option<String>,
    pub max_session_duration: i32,
    /// AWS omits them in lists.
    pub tags: Option<Vec<Tag>>,
}

pub(crate) fn role(row: &Role, config: &Config) -> RoleShape {
    RoleShape {
        path: row.path.clone(),
        role_name: row.name.clone(),
        role_id: row.id.clone(),
        arn: entity::arn(row, config),
        create_date: row.created,
        // IAM returns documents percent-encoded, and the SDKs decode them.
        assume_role_policy_document: escale_base::path::percent_encode(&row.trust),
        description: row.description.clone(),
        max_session_duration: row.max_session_secs,
        tags: some(&row.tags),
    }
}

#[derive(Debug, Wire)]
pub(crate) struct UserShape {
    pub path: IamPath,
    pub user_name: UserName,
    pub user_id: UserId,
    pub arn: String,
    pub create_date: Timestamp,
    /// AWS omits them in lists.
    pub tags: Option<Vec<Tag>>,
}

pub(crate) fn user(row: &User, config: &Config) -> UserShape {
    UserShape {
        path: row.path.clone(),
        user_name: row.name.clone(),
        user_id: row.id.clone(),
        arn: entity::arn(row, config),
        create_date: row.created,
        tags: some(&row.tags),
    }
}

#[derive(Debug, Wire)]
pub(crate) struct PolicyShape {
    pub policy_name: PolicyName,
    pub policy_id: Option<PolicyId>,
    pub arn: PolicyArn,
    pub path: IamPath,
    pub default_version_id: PolicyVersionId,
    pub attachment_count: usize,
    pub permissions_boundary_usage_count: usize,
    pub is_attachable: bool,
    pub description: Option<String>,
    pub create_date: Option<Timestamp>,
    pub update_date: Option<Timestamp>,
    /// AWS omits them in lists.
    pub tags: Option<Vec<Tag>>,
}

pub(crate) fn policy(row: &Policy, image: &Image) -> PolicyShape {
    PolicyShape {
        policy_name: row.name.clone(),
        policy_id: Some(row.id.clone()),
        arn: row.arn.clone(),
        path: row.path.clone(),
        default_version_id: row.default_version.clone(),
        attachment_count: attachments(image, &row.arn),
        permissions_boundary_usage_count: 0,
        is_attachable: true,
        description: row.description.clone(),
        create_date: Some(row.created),
        update_date: Some(row.updated),
        tags: some(&row.tags),
    }
}

/// An AWS managed policy. Its id is not known here and is omitted.
pub(crate) fn aws_policy(managed: &AwsManaged, image: &Image) -> PolicyShape {
    let arn = managed.arn();
    PolicyShape {
        policy_name: managed.name.clone(),
        policy_id: None,
        attachment_count: attachments(image, &arn),
        arn,
        path: managed.path.clone(),
        default_version_id: managed.default_version_id.clone(),
        permissions_boundary_usage_count: 0,
        is_attachable: true,
        description: None,
        create_date: Some(managed.created()),
        update_date: Some(managed.updated()),
        tags: None,
    }
}

/// The version of an AWS managed policy, without its document.
pub(crate) fn aws_version(managed: &AwsManaged) -> VersionShape {
    VersionShape {
        document: None,
        version_id: managed.default_version_id.clone(),
        is_default_version: true,
        create_date: Some(managed.updated()),
    }
}

fn attachments(image: &Image, arn: &PolicyArn) -> usize {
    let roles = image.scan::<Role>().filter(|r| r.attached.contains(arn)).count();
    roles + image.scan::<User>().filter(|u| u.attached.contains(arn)).count()
}

#[derive(Debug, Wire)]
pub(crate) struct VersionShape {
    pub document: Option<String>,
    pub version_id: PolicyVersionId,
    pub is_default_version: bool,
    pub create_date: Option<Timestamp>,
}

/// A version without its document, as in lists.
pub(crate) fn version(version: &PolicyVersion, policy: &Policy) -> VersionShape {
    VersionShape {
        document: None,
        version_id: version.id.clone(),
        is_default_version: version.id == policy.default_version,
        create_date: Some(version.created),
    }
}

#[derive(Debug, Wire)]
pub(crate) struct AttachedPolicy {
    pub policy_name: PolicyName,
    pub policy_arn: PolicyArn,
}

pub(crate) fn attached(arn: &PolicyArn) -> AttachedPolicy {
    let policy_name = arn.rsplit('/').next().unwrap_or(arn).into();
    AttachedPolicy { policy_name, policy_arn: arn.clone() }
}

/// The path in a policy's ARN.
pub(crate) fn policy_path(arn: &PolicyArn) -> &str {
    let tail = arn.find(":policy/").map_or("/", |at| &arn[at + ":policy".len()..]);
    tail.rfind('/').map_or("/", |at| &tail[..=at])
}

/// A page of the tags of a role, user or policy.
#[derive(Debug, Wire)]
pub(crate) struct TagPage {
    tags: Vec<Tag>,
    is_truncated: bool,
    marker: Option<String>,
}

pub(crate) fn tag_page(
    tags: &[Tag],
    marker: Option<&str>,
    max_items: Option<usize>,
) -> Result<TagPage, Error> {
    let mut tags = tags.to_vec();
    // The row keeps the order of tagging, but pages are cut by key.
    tags.sort();
    let cut = paging::cut(tags, |t| t.key.clone(), marker, max_items)?;
    Ok(TagPage { tags: cut.items, is_truncated: cut.is_truncated, marker: cut.marker })
}

fn some(tags: &[Tag]) -> Option<Vec<Tag>> {
    (!tags.is_empty()).then(|| tags.to_vec())
}
