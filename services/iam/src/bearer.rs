//! What users and roles have in common: they bear policies and tags.

use crate::{
    Error, aws_managed,
    paging::{self, Cut},
};
use escale_base::Tag;
use escale_policy::{Document, Kind};
use escale_service::{Config, Cx};
use escale_store::{Image, Row};
use escale_tables::iam::{Policy, Role, User};
use std::{collections::BTreeMap, sync::Arc};

/// AWS's default quotas: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
const TAGS_MAX: usize = 50;

/// A row of a user or role.
pub(crate) trait Bearer: Row {
    /// The word in messages.
    const KIND: &'static str;
    /// The word in ARNs.
    const ARN: &'static str;
    /// All inline documents together, in characters.
    const INLINE_MAX: usize;
    const INLINE_QUOTA: &'static str;
    const ATTACHED_MAX: usize = 10;
    const ATTACHED_QUOTA: &'static str;

    fn name(&self) -> &str;
    fn path(&self) -> &str;
    fn inline(&self) -> &BTreeMap<String, String>;
    fn inline_mut(&mut self) -> &mut BTreeMap<String, String>;
    fn attached(&self) -> &[String];
    fn attached_mut(&mut self) -> &mut Vec<String>;
    fn tags_mut(&mut self) -> &mut Vec<Tag>;
}

macro_rules! bearer {
    ($row:ty, $kind:literal, $arn:literal, $inline_max:literal, $inline:literal, $attached:literal) => {
        impl Bearer for $row {
            const KIND: &'static str = $kind;
            const ARN: &'static str = $arn;
            const INLINE_MAX: usize = $inline_max;
            const INLINE_QUOTA: &'static str = $inline;
            const ATTACHED_QUOTA: &'static str = $attached;

            fn name(&self) -> &str {
                &self.name
            }
            fn path(&self) -> &str {
                &self.path
            }
            fn inline(&self) -> &BTreeMap<String, String> {
                &self.inline
            }
            fn inline_mut(&mut self) -> &mut BTreeMap<String, String> {
                &mut self.inline
            }
            fn attached(&self) -> &[String] {
                &self.attached
            }
            fn attached_mut(&mut self) -> &mut Vec<String> {
                &mut self.attached
            }
            fn tags_mut(&mut self) -> &mut Vec<Tag> {
                &mut self.tags
            }
        }
    };
}
bearer!(Role, "role", "role", 10240, "RolePolicySize", "PoliciesPerRole");
bearer!(User, "user", "user", 2048, "UserPolicySize", "PoliciesPerUser");

pub(crate) fn arn<B: Bearer>(row: &B, config: &Config) -> String {
    format!("arn:aws:iam::{}:{}{}{}", config.account, B::ARN, row.path(), row.name())
}

/// The ARN that a policy's `Resource` is matched with; a row that is not there has no path.
pub(crate) fn arn_of<B: Bearer>(cx: &Cx<'_>, name: &str) -> String {
    match cx.tx.get::<B>(name) {
        Some(row) => arn(&*row, cx.config),
        None => format!("arn:aws:iam::{}:{}/{name}", cx.config.account, B::ARN),
    }
}

pub(crate) fn get<B: Bearer>(image: &Image, name: &str) -> Result<Arc<B>, Error> {
    image.get::<B>(name).ok_or_else(|| missing::<B>(name))
}

/// A page of those under a path, by their names.
pub(crate) fn list<B: Bearer>(
    image: &Image,
    path_prefix: Option<&str>,
    marker: Option<&str>,
    max_items: Option<usize>,
) -> Result<Cut<Arc<B>>, Error> {
    let prefix = path_prefix.unwrap_or("/");
    let found = image.scan::<B>().filter(|row| row.path().starts_with(prefix));
    paging::cut(found, |row| row.name().to_owned(), marker, max_items)
}

fn missing<B: Bearer>(name: &str) -> Error {
    Error::NotFound { kind: B::KIND, name: name.to_owned() }
}

/// Changes one that is there. What a service owns is left to it.
pub(crate) fn change<B: Bearer, T>(
    cx: &mut Cx<'_>,
    name: &str,
    change: impl FnOnce(&mut B) -> Result<T, Error>,
) -> Result<T, Error> {
    let row = get::<B>(cx.tx, name)?;
    if row.path().starts_with(SERVICE_PATH) {
        return Err(Error::Protected(name.to_owned()));
    }
    cx.tx.update(name, change).ok_or_else(|| missing::<B>(name))?
}

/// The path of roles that belong to a service.
pub(crate) const SERVICE_PATH: &str = "/aws-service-role/";

/// Names are unique without regard to case.
pub(crate) fn must_be_new<B: Bearer>(image: &Image, name: &str) -> Result<(), Error> {
    let kind = if B::ARN == "role" { "Role" } else { "User" };
    match image.scan::<B>().find(|row| row.name().eq_ignore_ascii_case(name)) {
        Some(_) => Err(Error::Exists { kind, name: name.to_owned() }),
        None => Ok(()),
    }
}

pub(crate) fn put_inline<B: Bearer>(
    cx: &mut Cx<'_>,
    name: &str,
    policy: String,
    document: String,
) -> Result<(), Error> {
    Document::parse(&document, Kind::Identity).map_err(Error::MalformedPolicy)?;
    change::<B, _>(cx, name, |row| {
        row.inline_mut().insert(policy, document);
        // White space does not count.
        let size = |text: &String| text.chars().filter(|c| !c.is_whitespace()).count();
        if row.inline().values().map(size).sum::<usize>() > B::INLINE_MAX {
            Err(Error::Quota { quota: B::INLINE_QUOTA, limit: B::INLINE_MAX })
        } else {
            Ok(())
        }
    })
}

/// The document of an inline policy, percent-encoded.
pub(crate) fn inline<B: Bearer>(image: &Image, name: &str, policy: &str) -> Result<String, Error> {
    let row = get::<B>(image, name)?;
    row.inline().get(policy).map(|d| crate::shapes::percent_encode(d)).ok_or_else(|| no_inline::<B>(policy))
}

pub(crate) fn delete_inline<B: Bearer>(cx: &mut Cx<'_>, name: &str, policy: &str) -> Result<(), Error> {
    change::<B, _>(cx, name, |row| match row.inline_mut().remove(policy) {
        Some(_) => Ok(()),
        None => Err(no_inline::<B>(policy)),
    })
}

fn no_inline<B: Bearer>(policy: &str) -> Error {
    Error::NoSuch(format!("The {} policy with name {policy} cannot be found.", B::KIND))
}

pub(crate) fn attach<B: Bearer>(cx: &mut Cx<'_>, name: &str, policy: String) -> Result<(), Error> {
    get::<B>(cx.tx, name)?;
    if !cx.tx.has::<Policy>(&policy) && aws_managed::find(&policy).is_none() {
        if policy.starts_with(aws_managed::PREFIX) {
            return Err(escale_base::AwsError::not_supported(format_args!(
                "The AWS managed policy {policy}"
            ))
            .into());
        }
        return Err(Error::NoSuch(format!("Policy {policy} does not exist or is not attachable.")));
    }
    change::<B, _>(cx, name, |row| {
        if row.attached().contains(&policy) {
            return Ok(());
        }
        if row.attached().len() >= B::ATTACHED_MAX {
            return Err(Error::Quota { quota: B::ATTACHED_QUOTA, limit: B::ATTACHED_MAX });
        }
        row.attached_mut().push(policy);
        Ok(())
    })
}

pub(crate) fn detach<B: Bearer>(cx: &mut Cx<'_>, name: &str, policy: &str) -> Result<(), Error> {
    change::<B, _>(cx, name, |row| {
        let before = row.attached().len();
        row.attached_mut().retain(|arn| arn != policy);
        if row.attached().len() < before {
            Ok(())
        } else {
            Err(Error::NoSuch(format!("Policy {policy} was not found.")))
        }
    })
}

pub(crate) fn tag<B: Bearer>(cx: &mut Cx<'_>, name: &str, tags: Vec<Tag>) -> Result<(), Error> {
    change::<B, _>(cx, name, |row| add_tags(row.tags_mut(), tags))
}

pub(crate) fn untag<B: Bearer>(cx: &mut Cx<'_>, name: &str, keys: &[String]) -> Result<(), Error> {
    change::<B, _>(cx, name, |row| {
        row.tags_mut().retain(|t| !keys.contains(&t.key));
        Ok(())
    })
}

pub(crate) fn add_tags(tags: &mut Vec<Tag>, new: Vec<Tag>) -> Result<(), Error> {
    if let Some(tag) = new.iter().find(|t| t.key.to_ascii_lowercase().starts_with("aws:") && !is_stack_tag(t))
    {
        return Err(Error::Invalid(format!("The tag key {} begins with aws:, which is reserved", tag.key)));
    }
    escale_base::tags::merge(tags, new);
    if tags.len() > TAGS_MAX {
        Err(Error::Quota { quota: "TagsPerResource", limit: TAGS_MAX })
    } else {
        Ok(())
    }
}

/// CloudFormation lays its own on what it makes.
fn is_stack_tag(tag: &Tag) -> bool {
    tag.key.starts_with("aws:cloudformation:")
}

/// What must be true before a user or role may go.
pub(crate) fn must_be_bare<B: Bearer>(row: &B) -> Result<(), Error> {
    if !row.attached().is_empty() {
        return Err(Error::DeleteConflict("detach all policies"));
    }
    if !row.inline().is_empty() {
        return Err(Error::DeleteConflict("delete policies"));
    }
    Ok(())
}

/// `/`, or segments between slashes.
pub(crate) fn path(path: Option<String>) -> Result<String, Error> {
    let path = path.unwrap_or_else(|| "/".to_owned());
    if path.starts_with(SERVICE_PATH) {
        return Err(Error::Validation(format!("The path {path} is reserved for services")));
    }
    if path.starts_with('/') && path.ends_with('/') {
        Ok(path)
    } else {
        Err(Error::Validation(format!(
            "The specified value for path is invalid: {path}. It must begin and end with / and contain only alphanumeric characters and/or / characters."
        )))
    }
}
