//! Lookups and checks that the operations share.

use crate::choices::ImageTagMutability;
use crate::{Error, Repositories, repositories};
use escale_base::{Arn, AwsError};
use escale_registry::{Digest, Reference};
use escale_service::{Config, Cx, StreamCx};
use escale_tables::ecr::{Repository, RepositoryName};
use std::sync::Arc;

pub(crate) fn arn(config: &Config, name: &RepositoryName) -> String {
    Arn::new("ecr", &config.region, &config.account, format!("repository/{name}")).to_string()
}

/// Checks the registry's id. The account has only one registry.
pub(crate) fn registry(config: &Config, requested: Option<&str>) -> Result<(), Error> {
    match requested {
        Some(other) if other != config.account => Err(Error::Invalid {
            parameter: "registryId",
            why: format!("the only registry is {}", config.account),
        }),
        _ => Ok(()),
    }
}

pub(crate) fn row(
    cx: &Cx<'_>,
    registry_id: Option<&str>,
    name: &RepositoryName,
) -> Result<Arc<Repository>, Error> {
    registry(cx.config, registry_id)?;
    repositories::row(cx.tx, &cx.config.account, name)
}

/// Brings the plane's repository in line with its row, and returns the row.
pub(crate) async fn ready(
    service: &Repositories,
    cx: &StreamCx,
    registry_id: Option<&str>,
    name: &RepositoryName,
) -> Result<Arc<Repository>, Error> {
    registry(&cx.config, registry_id)?;
    service.ready(&cx.store, &cx.config.account, name).await
}

/// The name of the repository in an ARN.
pub(crate) fn name_of_arn(text: &str) -> Result<RepositoryName, Error> {
    let bad = || Error::Invalid { parameter: "resourceArn", why: "must be the ARN of a repository".into() };
    let arn: Arn = text.parse().map_err(|_| bad())?;
    let name = arn.resource.strip_prefix("repository/").filter(|_| arn.service == "ecr");
    name.map(RepositoryName::from).ok_or_else(bad)
}

/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html>, `repositoryName`
pub(crate) fn repository_name(name: &RepositoryName) -> Result<(), Error> {
    let word = |word: &str| {
        let ends = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let bytes = word.as_bytes();
        ends(bytes.first())
            && ends(bytes.last())
            && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(b))
            && !word.contains("..")
    };
    if (2..=256).contains(&name.len()) && name.split('/').all(word) {
        return Ok(());
    }
    let why =
        "must satisfy regular expression '(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*'";
    Err(Error::Invalid { parameter: "repositoryName", why: why.into() })
}

/// Whether tags are immutable.
pub(crate) fn immutable(requested: Option<ImageTagMutability>) -> Result<bool, Error> {
    match requested {
        None | Some(ImageTagMutability::Mutable) => Ok(false),
        Some(ImageTagMutability::Immutable) => Ok(true),
        Some(other) => Err(AwsError::not_supported(format_args!("The image tag mutability {other}"))
            .hint("Use MUTABLE or IMMUTABLE.")
            .into()),
    }
}

/// The reference to an image. A digest takes precedence over a tag.
pub(crate) fn reference(digest: Option<&str>, tag: Option<&str>) -> Result<Reference, Error> {
    match (digest, tag) {
        (Some(digest), _) => Ok(Reference::Digest(digest.parse::<Digest>()?)),
        (None, Some(tag)) => Ok(Reference::Tag(tag.to_owned())),
        (None, None) => Err(Error::Invalid {
            parameter: "imageIds",
            why: "an image id needs imageDigest or imageTag".into(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_repository_names() {
        for good in ["shop", "shop/backend", "a.b-c_d/e0"] {
            assert!(repository_name(&good.into()).is_ok(), "{good}");
        }
        for bad in ["a", "Shop", "shop/", "/shop", "a..b", "-shop", "shop//x"] {
            assert!(repository_name(&bad.into()).is_err(), "{bad}");
        }
    }

    #[test]
    fn parses_arns() {
        let arn = "arn:aws:ecr:eu-west-3:000000000000:repository/shop/backend";
        assert_eq!(name_of_arn(arn).unwrap(), "shop/backend");
        assert!(name_of_arn("arn:aws:s3:::x").is_err());
    }
}
