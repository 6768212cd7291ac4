//! Names of container images that tasks can run, and AWS's words for images that cannot be pulled.

use escale_registry as registry;
use escale_service::{Config, ImageName};
use escale_upstream as upstream;

/// The registry that serves an image, and the image's name there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ImageSource {
    /// This cloud's own registry.
    Own { repository: String, reference: registry::Reference },
    /// A registry on the Internet.
    Upstream { repository: upstream::Repository, reference: upstream::Reference },
}

/// Parses the name of an image.
pub(crate) fn parse(text: &str, config: &Config) -> Result<ImageSource, String> {
    let bad = || format!("CannotPullContainerError: invalid reference format: {text}");
    let name = ImageName::parse(text).ok_or_else(bad)?;
    if name.is_own(config) {
        let reference = name.reference.parse().map_err(|_| bad())?;
        return Ok(ImageSource::Own { repository: name.repository.to_owned(), reference });
    }
    let repository = upstream::Repository::new(name.registry, name.repository).map_err(|_| bad())?;
    let reference = name.reference.parse().map_err(|_| bad())?;
    Ok(ImageSource::Upstream { repository, reference })
}

impl ImageSource {
    pub(crate) fn is_own(&self) -> bool {
        matches!(self, ImageSource::Own { .. })
    }

    /// The same repository's image with this digest.
    pub(crate) fn at(self, digest: &str) -> Result<ImageSource, String> {
        let bad = || format!("CannotPullContainerError: invalid reference format: {digest}");
        Ok(match self {
            ImageSource::Own { repository, .. } => {
                ImageSource::Own { repository, reference: digest.parse().map_err(|_| bad())? }
            }
            ImageSource::Upstream { repository, .. } => {
                ImageSource::Upstream { repository, reference: digest.parse().map_err(|_| bad())? }
            }
        })
    }
}

/// The message of a pull that failed while the name was resolved.
///
/// Source: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_cannot_pull_image.html>
pub(crate) fn unresolved(image: &str, why: &str) -> String {
    format!(
        "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref {image}: {why}"
    )
}

/// The message of a pull that failed while the layers were copied.
pub(crate) fn uncopied(why: &str) -> String {
    format!("CannotPullContainerError: ref pull has been retried 1 time(s): failed to copy: {why}")
}

/// An upstream registry's error in the words of containerd, which AWS repeats and users search for.
pub(crate) fn words(error: &upstream::Error) -> String {
    use upstream::Error;
    match error {
        Error::Denied { message, .. } => format!(
            "pull access denied, repository does not exist or may require authorization: server message: {message}. For a private \
             repository, set repositoryCredentials in the container definition"
        ),
        Error::TooManyRequests { message, retry_after, .. } => {
            let after =
                retry_after.as_ref().map(|after| format!(". Retry after {after} s")).unwrap_or_default();
            format!(
                "429 Too Many Requests - Server message: {message}{after}. A login allows more pulls: set repositoryCredentials"
            )
        }
        Error::Status { url, status, message } => {
            format!("unexpected status from GET request to {url}: {status}: {message}")
        }
        Error::NoHost { .. } => format!(
            "failed to do request: dial tcp: {error}. Check the registry's name and this machine's Internet access; a machine without \
             Internet access needs a mirror: ESCALE_IMAGE_MIRROR"
        ),
        Error::Unreachable { .. } => format!(
            "failed to do request: {error}. Check this machine's Internet access; set HTTPS_PROXY if it needs a proxy, or \
             ESCALE_IMAGE_MIRROR if it has a mirror"
        ),
        Error::Tls { .. } => format!("failed to do request: tls: {error}"),
        Error::Name(_) => format!("invalid reference format: {error}"),
        Error::NotFound { .. } | Error::Invalid { .. } => error.to_string(),
        Error::Forbidden { .. }
        | Error::NoInternet { .. }
        | Error::Proxy { .. }
        | Error::Redirect { .. }
        | Error::Broken { .. }
        | Error::Roots { .. } => {
            format!("failed to do request: {error}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_names_of_all_registries() {
        let config = Config::default();
        let digest = format!("sha256:{}", "0".repeat(64));
        let read = |text: &str| {
            parse(text, &config).map(|source| match source {
                ImageSource::Own { repository, reference } => format!("own {repository} {reference}"),
                ImageSource::Upstream { repository, reference } => repository.image(&reference),
            })
        };
        assert_eq!(read("127.0.0.1:4566/shop/web:1"), Ok("own shop/web 1".into()));
        assert_eq!(read(&format!("127.0.0.1:4566/web:1@{digest}")), Ok(format!("own web {digest}")));
        assert_eq!(read("nginx"), Ok("docker.io/library/nginx:latest".into()));
        assert_eq!(read("nginx:1.27"), Ok("docker.io/library/nginx:1.27".into()));
        assert_eq!(read("grafana/loki:3"), Ok("docker.io/grafana/loki:3".into()));
        assert_eq!(read("public.ecr.aws/nginx/nginx"), Ok("public.ecr.aws/nginx/nginx:latest".into()));
        assert_eq!(read(&format!("ghcr.io/a/b:1@{digest}")), Ok(format!("ghcr.io/a/b@{digest}")));
        for bad in
            ["127.0.0.1:4566/web@sha256:0", "ghcr.io/a/b@sha256:0", "ghcr.io/A/b", "ghcr.io/a/../b", "a b"]
        {
            assert!(read(bad).unwrap_err().contains("invalid reference format"), "{bad}");
        }
        let pinned = parse("nginx:1.27", &config).unwrap().at(&digest).unwrap();
        assert_eq!(pinned, parse(&format!("nginx@{digest}"), &config).unwrap());
    }
}
