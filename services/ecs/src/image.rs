//! Names of images: which registry, repository, tag or digest.

use escale_registry::{Digest, Reference};
use escale_service::Config;

/// A name taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ImageName {
    pub repository: String,
    pub reference: Reference,
}

/// Reads a name that this cloud's registry serves; the error says what to do about another one.
pub(crate) fn parse(text: &str, config: &Config) -> Result<ImageName, String> {
    let (host, path) = match text.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (Some(first), rest),
        _ => (None, text),
    };
    if !host.is_some_and(|h| is_ours(h, config)) {
        let registry = host.unwrap_or("docker.io");
        return Err(format!(
            "CannotPullContainerError: {text}: the registry {registry} is not one that tasks can reach; push the image \
             to a repository of ECR and name it {}/<repository>:<tag>",
            config.endpoint
        ));
    }
    let (path, digest) = match path.split_once('@') {
        Some((path, digest)) => (path, Some(digest)),
        None => (path, None),
    };
    let (repository, tag) = match path.rsplit_once(':') {
        Some((repository, tag)) => (repository, Some(tag)),
        None => (path, None),
    };
    let bad = || format!("CannotPullContainerError: invalid reference format: {text}");
    let reference = match (digest, tag) {
        (Some(digest), _) => Reference::Digest(digest.parse::<Digest>().map_err(|_| bad())?),
        (None, Some(tag)) => Reference::Tag(tag.to_owned()),
        (None, None) => Reference::Tag("latest".to_owned()),
    };
    if repository.is_empty() {
        return Err(bad());
    }
    Ok(ImageName { repository: repository.to_owned(), reference })
}

fn is_ours(host: &str, config: &Config) -> bool {
    let name = host.split(':').next().unwrap_or(host);
    let of_aws = name.strip_suffix(&format!(".dkr.ecr.{}.amazonaws.com", config.region));
    let port = config.endpoint.rsplit(':').next().unwrap_or("");
    host == config.endpoint
        || host == format!("localhost:{port}")
        || name == Config::api_name()
        || of_aws.is_some_and(|account| account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let config = Config::default();
        let read = |text: &str| parse(text, &config).map(|n| format!("{} {}", n.repository, n.reference));
        assert_eq!(read("127.0.0.1:4566/shop/web:1"), Ok("shop/web 1".into()));
        assert_eq!(read("000000000000.dkr.ecr.eu-west-3.amazonaws.com/web"), Ok("web latest".into()));
        assert_eq!(read("localhost:4566/web:a"), Ok("web a".into()));
        let digest = format!("sha256:{}", "0".repeat(64));
        assert_eq!(read(&format!("127.0.0.1:4566/web:1@{digest}")), Ok(format!("web {digest}")));
        for other in ["nginx", "library/nginx:1", "ghcr.io/a/b:1", "127.0.0.1:9/web"] {
            assert!(read(other).unwrap_err().contains("push the image"), "{other}");
        }
    }
}
