//! Users and roles, which IAM calls entities: both have inline policies, attached policies and tags.

use crate::{
    Error,
    aws_managed::{self, AwsManaged},
    paging::{self, Cut},
};
use escale_base::{AwsError, Tag};
use escale_policy::{Document, Kind};
use escale_service::{Config, Cx};
use escale_store::{Image, Row};
use escale_tables::iam::{IamPath, Policy, PolicyArn, PolicyName, Role, RoleName, User, UserName};
use std::{collections::BTreeMap, fmt::Display, ops::Deref, sync::Arc};

/// AWS's default quota on tags. The source of all quotas here: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
const TAGS_MAX: usize = 50;

/// The row of a user or a role.
pub(crate) trait Entity: Row {
    type Name: Display + Deref<Target = str>;
    /// The name of the kind in messages.
    const KIND: &'static str;
    /// The resource type in ARNs.
    const ARN: &'static str;
    /// The quota on all inline documents together, in characters.
    const INLINE_MAX: usize;
    const INLINE_QUOTA: &'static str;
    const ATTACHED_MAX: usize = 10;
    const ATTACHED_QUOTA: &'static str;

    fn name(&self) -> &Self::Name;
    fn path(&self) -> &str;
    fn inline(&self) -> &BTreeMap<PolicyName, String>;
    fn inline_mut(&mut self) -> &mut BTreeMap<PolicyName, String>;
    fn attached(&self) -> &[PolicyArn];
    fn attached_mut(&mut self) -> &mut Vec<PolicyArn>;
    fn tags_mut(&mut self) -> &mut Vec<Tag>;
}

macro_rules! entity {
    ($row:ty, $name:ty, $kind:literal, $arn:literal, $inline_max:literal, $inline:literal, $attached:literal) => {
        impl Entity for $row {
            type Name = $name;
            const KIND: &'static str = $kind;
            const ARN: &'static str = $arn;
            const INLINE_MAX: usize = $inline_max;
            const INLINE_QUOTA: &'static str = $inline;
            const ATTACHED_QUOTA: &'static str = $attached;

            fn name(&self) -> &$name {
                &self.name
            }
            fn path(&self) -> &str {
                &self.path
            }
            fn inline(&self) -> &BTreeMap<PolicyName, String> {
                &self.inline
            }
            fn inline_mut(&mut self) -> &mut BTreeMap<PolicyName, String> {
                &mut self.inline
            }
            fn attached(&self) -> &[PolicyArn] {
                &self.attached
            }
            fn attached_mut(&mut self) -> &mut Vec<PolicyArn> {
                &mut self.attached
            }
            fn tags_mut(&mut self) -> &mut Vec<Tag> {
                &mut self.tags
            }
        }
    };
}
entity!(Role, RoleName, "role", "role", 10240, "RolePolicySize", "PoliciesPerRole");
entity!(User, UserName, "user", "user", 2048, "UserPolicySize", "PoliciesPerUser");

pub(crate) fn arn<E: Entity>(row: &E, config: &Config) -> String {
    format!("arn:aws:iam::{}:{}{}{}", config.account, E::ARN, row.path(), row.name())
}

/// The ARN for authorization. The path of an entity that does not exist is unknown, so its ARN has none.
pub(crate) fn arn_of<E: Entity>(cx: &Cx<'_>, name: &E::Name) -> String {
    match cx.tx.get::<E>(name) {
        Some(row) => arn(&*row, cx.config),
        None => format!("arn:aws:iam::{}:{}/{name}", cx.config.account, E::ARN),
    }
}

pub(crate) fn get<E: Entity>(image: &Image, name: &E::Name) -> Result<Arc<E>, Error> {
    image.get::<E>(name).ok_or_else(|| missing::<E>(name))
}

/// A page of the entities under a path, in the order of their names.
pub(crate) fn list<E: Entity>(
    image: &Image,
    path_prefix: Option<&str>,
    marker: Option<&str>,
    max_items: Option<usize>,
) -> Result<Cut<Arc<E>>, Error> {
    let prefix = path_prefix.unwrap_or("/");
    let found = image.scan::<E>().filter(|row| row.path().starts_with(prefix));
    paging::cut(found, |row| row.name().to_string(), marker, max_items)
}

fn missing<E: Entity>(name: &E::Name) -> Error {
    Error::NotFound { kind: E::KIND, name: name.to_string() }
}

/// Changes an existing entity. Service-linked roles cannot be changed.
pub(crate) fn change<E: Entity, T>(
    cx: &mut Cx<'_>,
    name: &E::Name,
    change: impl FnOnce(&mut E) -> Result<T, Error>,
) -> Result<T, Error> {
    let row = get::<E>(cx.tx, name)?;
    if row.path().starts_with(SERVICE_PATH) {
        return Err(Error::Protected(name.to_string()));
    }
    cx.tx.update(name, change).ok_or_else(|| missing::<E>(name))?
}

/// The path of service-linked roles.
pub(crate) const SERVICE_PATH: &str = "/aws-service-role/";

/// Checks that a name is free. As on AWS, names that differ only in case are the same.
pub(crate) fn must_be_new<E: Entity>(image: &Image, name: &E::Name) -> Result<(), Error> {
    let kind = if E::ARN == "role" { "Role" } else { "User" };
    match image.scan::<E>().find(|row| row.name().eq_ignore_ascii_case(name)) {
        Some(_) => Err(Error::Exists { kind, name: name.to_string() }),
        None => Ok(()),
    }
}

pub(crate) fn put_inline<E: Entity>(
    cx: &mut Cx<'_>,
    name: &E::Name,
    policy: PolicyName,
    document: String,
) -> Result<(), Error> {
    Document::parse(&document, Kind::Identity).map_err(Error::MalformedPolicy)?;
    change::<E, _>(cx, name, |row| {
        row.inline_mut().insert(policy, document);
        // As on AWS, white space does not count towards the quota.
        let size = |text: &String| text.chars().filter(|c| !c.is_whitespace()).count();
        if row.inline().values().map(size).sum::<usize>() > E::INLINE_MAX {
            Err(Error::Quota { quota: E::INLINE_QUOTA, limit: E::INLINE_MAX })
        } else {
            Ok(())
        }
    })
}

/// The document of an inline policy, percent-encoded.
pub(crate) fn inline<E: Entity>(image: &Image, name: &E::Name, policy: &PolicyName) -> Result<String, Error> {
    let row = get::<E>(image, name)?;
    row.inline()
        .get(policy)
        .map(|d| escale_base::path::percent_encode(d))
        .ok_or_else(|| no_inline::<E>(policy))
}

pub(crate) fn delete_inline<E: Entity>(
    cx: &mut Cx<'_>,
    name: &E::Name,
    policy: &PolicyName,
) -> Result<(), Error> {
    change::<E, _>(cx, name, |row| match row.inline_mut().remove(policy) {
        Some(_) => Ok(()),
        None => Err(no_inline::<E>(policy)),
    })
}

fn no_inline<E: Entity>(policy: &PolicyName) -> Error {
    Error::NoSuch(format!("The {} policy with name {policy} cannot be found.", E::KIND))
}

pub(crate) fn attach<E: Entity>(cx: &mut Cx<'_>, name: &E::Name, policy: PolicyArn) -> Result<(), Error> {
    get::<E>(cx.tx, name)?;
    if !cx.tx.has::<Policy>(&policy) {
        let absent = || Error::NoSuch(format!("Policy {policy} does not exist or is not attachable."));
        check_attachable(aws_managed::find(&policy).ok_or_else(absent)?)?;
    }
    change::<E, _>(cx, name, |row| {
        // As on AWS, attaching a policy again succeeds.
        if row.attached().contains(&policy) {
            return Ok(());
        }
        if row.attached().len() >= E::ATTACHED_MAX {
            return Err(Error::Quota { quota: E::ATTACHED_QUOTA, limit: E::ATTACHED_MAX });
        }
        row.attached_mut().push(policy);
        Ok(())
    })
}

/// Refuses an AWS managed policy that only service-linked roles can have, or that cannot be evaluated.
fn check_attachable(managed: &AwsManaged) -> Result<(), Error> {
    if managed.is_of_service() {
        return Err(Error::NotAttachable("Cannot attach a Service Role Policy to a Customer Role."));
    }
    managed.parse().map(drop).map_err(|part| {
        AwsError::not_supported(format_args!("The AWS managed policy {}", managed.name))
            .hint(format_args!("{part}. Create a policy without it, and attach that one."))
            .into()
    })
}

pub(crate) fn detach<E: Entity>(cx: &mut Cx<'_>, name: &E::Name, policy: &PolicyArn) -> Result<(), Error> {
    change::<E, _>(cx, name, |row| {
        let before = row.attached().len();
        row.attached_mut().retain(|arn| arn != policy);
        if row.attached().len() < before {
            Ok(())
        } else {
            Err(Error::NoSuch(format!("Policy {policy} was not found.")))
        }
    })
}

pub(crate) fn tag<E: Entity>(cx: &mut Cx<'_>, name: &E::Name, tags: Vec<Tag>) -> Result<(), Error> {
    change::<E, _>(cx, name, |row| add_tags(row.tags_mut(), tags))
}

pub(crate) fn untag<E: Entity>(cx: &mut Cx<'_>, name: &E::Name, keys: &[String]) -> Result<(), Error> {
    change::<E, _>(cx, name, |row| {
        row.tags_mut().retain(|t| !keys.contains(&t.key));
        Ok(())
    })
}

pub(crate) fn add_tags(tags: &mut Vec<Tag>, new: Vec<Tag>) -> Result<(), Error> {
    if let Some(tag) = new.iter().find(|t| t.key.to_ascii_lowercase().starts_with("aws:") && !is_stack_tag(t))
    {
        return Err(Error::Invalid(format!("The tag key {} starts with the reserved prefix aws:", tag.key)));
    }
    escale_base::tags::merge(tags, new);
    if tags.len() > TAGS_MAX {
        Err(Error::Quota { quota: "TagsPerResource", limit: TAGS_MAX })
    } else {
        Ok(())
    }
}

/// CloudFormation adds these tags to the resources of a stack.
fn is_stack_tag(tag: &Tag) -> bool {
    tag.key.starts_with("aws:cloudformation:")
}

/// Checks that an entity has no policies. AWS does not delete an entity that has some.
pub(crate) fn must_have_no_policies<E: Entity>(row: &E) -> Result<(), Error> {
    if !row.attached().is_empty() {
        return Err(Error::DeleteConflict("detach all policies"));
    }
    if !row.inline().is_empty() {
        return Err(Error::DeleteConflict("delete policies"));
    }
    Ok(())
}

/// Validates a path: `/`, or segments between slashes.
pub(crate) fn path(path: Option<String>) -> Result<IamPath, Error> {
    let path = IamPath(path.unwrap_or_else(|| "/".to_owned()));
    if path.starts_with(SERVICE_PATH) {
        return Err(Error::Validation(format!("The path {path} is reserved for service-linked roles")));
    }
    if path.starts_with('/') && path.ends_with('/') {
        Ok(path)
    } else {
        Err(Error::Validation(format!(
            "The specified value for path is invalid: {path}. It must begin and end with / and contain only alphanumeric characters and/or / characters."
        )))
    }
}
