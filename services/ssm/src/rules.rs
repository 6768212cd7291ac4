//! Lookups and checks that the operations share.

use crate::{Error, choices::ResourceTypeForTagging};
use escale_base::{Arn, AwsError};
use escale_service::Cx;
use escale_store::Image;
use escale_tables::ssm::{Parameter, ParameterName, ParameterVersion};
use std::sync::Arc;

/// The name from a name or an ARN. `arn:…:parameter/a/b` means `/a/b`. `arn:…:parameter/b` means `b` if that parameter
/// exists, else `/b`.
pub(crate) fn name_of(image: &Image, given: &str) -> ParameterName {
    let Ok(arn) = given.parse::<Arn>() else { return given.into() };
    let path = arn.resource.strip_prefix("parameter").unwrap_or(&arn.resource);
    let bare = path.trim_start_matches('/');
    if !bare.contains('/') && image.has::<Parameter>(bare) { bare.into() } else { path.into() }
}

/// `arn:aws:ssm:<region>:<account>:parameter/<name>`, always with exactly one slash before the name.
pub(crate) fn arn(cx: &Cx<'_>, name: &str) -> String {
    cx.arn("ssm", format!("parameter/{}", name.trim_start_matches('/'))).to_string()
}

pub(crate) fn find(image: &Image, name: &ParameterName) -> Result<Arc<Parameter>, Error> {
    check_not_public(name)?;
    image.get::<Parameter>(name).ok_or_else(|| Error::NotFound(name.to_string()))
}

/// The ARN, as policies name it, of a parameter that a request may name with a version: the ARN has none.
pub(crate) fn arn_of_selected(cx: &Cx<'_>, given: &str) -> String {
    arn(cx, &name_of(cx.tx, split(given).0))
}

/// A name or an ARN, and what follows the colon after it.
fn split(given: &str) -> (&str, Option<&str>) {
    let parted = match given.strip_prefix("arn:").map(|rest| rest.matches(':').count()) {
        // An ARN itself has five colons, of which the prefix `arn:` has one.
        Some(colons) if colons < 5 => None,
        Some(_) => given.rsplit_once(':'),
        None => given.split_once(':'),
    };
    parted.map_or((given, None), |(head, selector)| (head, Some(selector)))
}

/// Finds a parameter and the version after a colon; without it, the latest version.
pub(crate) fn select(
    image: &Image,
    given: &str,
) -> Result<(Arc<Parameter>, ParameterVersion, Option<String>), Error> {
    let (head, selector) = split(given);
    let parameter = find(image, &name_of(image, head))?;
    let last = parameter.versions.last().cloned().ok_or_else(|| Error::NotFound(head.to_owned()))?;
    let Some(selector) = selector else { return Ok((parameter, last, None)) };
    let number: i64 = selector.parse().map_err(|_| {
        AwsError::not_supported(format_args!("The parameter label in '{given}'"))
            .hint("Use the number of a version.")
    })?;
    let version = parameter.versions.iter().find(|v| v.number == number).cloned();
    let version = version.ok_or_else(|| Error::NoVersion(parameter.name.clone(), number))?;
    Ok((parameter, version, Some(format!(":{selector}"))))
}

/// Refuses a name that is reserved for AWS's own parameters.
pub(crate) fn check_not_public(name: &str) -> Result<(), Error> {
    if name.starts_with("/aws/reference/secretsmanager/") {
        return Err(AwsError::not_supported(format_args!("The reference to a secret '{name}'"))
            .hint("Use secretsmanager:GetSecretValue.")
            .into());
    }
    if name.starts_with("/aws/") || name.starts_with("aws/") {
        return Err(AwsError::not_supported(format_args!("AWS's public parameter '{name}'"))
            .hint("Use the value itself, or put a parameter of your own.")
            .into());
    }
    Ok(())
}

/// Refuses tags of other resources than parameters.
pub(crate) fn check_tagged_type(kind: ResourceTypeForTagging) -> Result<(), Error> {
    match kind {
        ResourceTypeForTagging::Parameter => Ok(()),
        other => Err(AwsError::not_supported(format_args!("The ResourceType {other}"))
            .hint("Use Parameter.")
            .into()),
    }
}

pub(crate) fn check_name(name: &ParameterName) -> Result<(), Error> {
    let bad = |what: &str| Err(Error::Validation(what.to_owned()));
    let fits = |c: char| c.is_ascii_alphanumeric() || "_.-/".contains(c);
    if name.is_empty() || !name.chars().all(fits) {
        return bad("Parameter name: can only contain a-z, A-Z, 0-9, and the symbols '_', '.', '-' and '/'.");
    }
    if name.len() > 1011 {
        return bad("Parameter name: is longer than 1011 characters.");
    }
    let lower = name.trim_start_matches('/').to_ascii_lowercase();
    if lower.starts_with("aws") || lower.starts_with("ssm") {
        return bad("Parameter name: can't be prefixed with \"aws\" or \"ssm\" (case-insensitive).");
    }
    if name.contains('/') && !name.starts_with('/') {
        return bad(
            "Parameter name must be a fully qualified name: it contains a '/', so it must begin with one.",
        );
    }
    if name.contains("//") || (name.len() > 1 && name.ends_with('/')) || name == "/" {
        return bad("Parameter name: has an empty level.");
    }
    if name.split('/').count() > 16 {
        return bad("Parameter name: has more than 15 levels.");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check_name;

    #[test]
    fn checks_names() {
        for (name, good) in [
            ("/a/b", true),
            ("plain.name-1", true),
            ("a/b", false),
            ("/aws/x", false),
            ("SSMthing", false),
            ("/a//b", false),
            ("/a/", false),
            ("sp ace", false),
            ("", false),
        ] {
            assert_eq!(check_name(&name.into()).is_ok(), good, "{name}");
        }
    }
}
