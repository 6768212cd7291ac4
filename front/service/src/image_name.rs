//! Names of container images, in Docker's syntax, and whether this cloud's own registry serves one.
//!
//! Source: <https://docs.docker.com/reference/cli/docker/image/tag/>

use crate::Config;

/// The parts of `registry/repository:tag@digest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageName<'a> {
    /// `docker.io` if the name has none.
    pub registry: &'a str,
    pub repository: &'a str,
    /// The digest if the name has one, else the tag, else `latest`.
    pub reference: &'a str,
}

impl<'a> ImageName<'a> {
    /// `None` if the text is not a valid image name.
    pub fn parse(text: &'a str) -> Option<ImageName<'a>> {
        // Docker's rule: the first part is a registry only if it looks like a host.
        let (registry, path) = match text.split_once('/') {
            Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (first, rest),
            _ => ("docker.io", text),
        };
        let (path, digest) = match path.split_once('@') {
            Some((path, digest)) => (path, Some(digest)),
            None => (path, None),
        };
        let (repository, tag) = match path.rsplit_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (path, None),
        };
        let reference = digest.or(tag).unwrap_or("latest");
        let whole = !repository.is_empty() && !reference.is_empty();
        whole.then_some(ImageName { registry, repository, reference })
    }

    /// Whether the image is in the account's own registry: under the address that ECR returns, or under AWS's name for a
    /// registry of the region.
    pub fn is_own(&self, config: &Config) -> bool {
        let name = self.registry.split(':').next().unwrap_or(self.registry);
        let of_aws = format!("{}.dkr.ecr.{}.amazonaws.com", config.account, config.region);
        let port = config.endpoint.rsplit(':').next().unwrap_or("");
        self.registry == config.endpoint
            || self.registry == format!("localhost:{port}")
            || name == Config::api_name()
            || name == of_aws
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_names_and_recognizes_the_own_registry() {
        let config = Config::default();
        let digest = format!("sha256:{}", "0".repeat(64));
        let with_digest = format!("127.0.0.1:4566/web:1@{digest}");
        for (text, own, expected) in [
            ("127.0.0.1:4566/shop/web:1", true, "shop/web 1"),
            ("000000000000.dkr.ecr.eu-west-3.amazonaws.com/web", true, "web latest"),
            ("localhost:4566/web:a", true, "web a"),
            ("api.escale.internal/web", true, "web latest"),
            (with_digest.as_str(), true, &format!("web {digest}")),
            ("000000000000.dkr.ecr.eu-west-1.amazonaws.com/web", false, "web latest"),
            ("111111111111.dkr.ecr.eu-west-3.amazonaws.com/web", false, "web latest"),
            ("1.dkr.ecr.eu-west-3.amazonaws.com/web", false, "web latest"),
            ("127.0.0.1:9/web", false, "web latest"),
            ("nginx", false, "nginx latest"),
            ("library/nginx:1", false, "library/nginx 1"),
            ("ghcr.io/a/b:1", false, "a/b 1"),
        ] {
            let name = ImageName::parse(text).unwrap();
            assert_eq!(
                (name.is_own(&config), format!("{} {}", name.repository, name.reference)),
                (own, expected.into())
            );
        }
        for bad in ["", ":1", "127.0.0.1:4566/", "127.0.0.1:4566/web:", "web@"] {
            assert_eq!(ImageName::parse(bad), None, "{bad}");
        }
    }
}
