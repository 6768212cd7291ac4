//! Names of container images that tasks can run.

use escale_registry::{Digest, Reference};
use escale_service::{Config, ImageName};

/// An image in this cloud's registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnImage {
    pub repository: String,
    pub reference: Reference,
}

/// Parses the name of an image in this cloud's registry. For another registry the error says how to push the image.
pub(crate) fn parse(text: &str, config: &Config) -> Result<OwnImage, String> {
    let bad = || format!("CannotPullContainerError: invalid reference format: {text}");
    let name = ImageName::parse(text).ok_or_else(bad)?;
    if !name.is_own(config) {
        return Err(format!(
            "CannotPullContainerError: {text}: tasks cannot reach the registry {}. Push the image to an ECR repository \
             and name it {}/<repository>:<tag>",
            name.registry, config.endpoint
        ));
    }
    let reference = if name.reference.contains(':') {
        Reference::Digest(name.reference.parse::<Digest>().map_err(|_| bad())?)
    } else {
        Reference::Tag(name.reference.to_owned())
    };
    Ok(OwnImage { repository: name.repository.to_owned(), reference })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_names_of_this_registry_only() {
        let config = Config::default();
        let read = |text: &str| parse(text, &config).map(|n| format!("{} {}", n.repository, n.reference));
        assert_eq!(read("127.0.0.1:4566/shop/web:1"), Ok("shop/web 1".into()));
        let digest = format!("sha256:{}", "0".repeat(64));
        assert_eq!(read(&format!("127.0.0.1:4566/web:1@{digest}")), Ok(format!("web {digest}")));
        assert!(read("127.0.0.1:4566/web@sha256:0").unwrap_err().contains("invalid reference format"));
        for other in ["nginx", "ghcr.io/a/b:1"] {
            assert!(read(other).unwrap_err().contains("Push the image"), "{other}");
        }
    }
}
