//! The plane's errors: whose fault they are decides what the caller reports.

use std::{io, net::IpAddr};

pub type Result<T, E = Error> = std::result::Result<T, E>;

pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("`{0}` is not the name of an image")]
    Name(String),
    #[error("{image}: not found")]
    NotFound { image: String },
    /// Registries answer in the same way if a repository does not exist and if it is private.
    #[error("the registry denies access to {image}: {message}")]
    Denied { image: String, message: String },
    #[error("the registry answered 429 Too Many Requests for {image}: {message}{}", after(retry_after))]
    TooManyRequests { image: String, message: String, retry_after: Option<String> },
    #[error("lookup {host}: {why}")]
    NoHost { host: String, why: String },
    #[error("dial tcp {address}: {error}")]
    Unreachable { address: String, error: io::Error },
    #[error("TLS with {host} failed: {why}")]
    Tls { host: String, why: String },
    #[error(
        "{host} leads to {address}, which is not an address of the Internet. To allow the host, name it in ESCALE_IMAGE_MIRROR: \
         ESCALE_IMAGE_MIRROR={host}={host}"
    )]
    Forbidden { host: String, address: IpAddr },
    #[error(
        "{host} is on the Internet, which ESCALE_INTERNET=none excludes. Name a mirror for the registry: \
         ESCALE_IMAGE_MIRROR=REGISTRY=MIRROR"
    )]
    NoInternet { host: String },
    #[error("the proxy {proxy} cannot be used: {why}")]
    Proxy { proxy: String, why: String },
    #[error("{url} answered {status}: {message}")]
    Status { url: String, status: u16, message: String },
    #[error("{url} redirects to `{to}`: {why}")]
    Redirect { url: String, to: String, why: &'static str },
    #[error("{image}: {why}")]
    Invalid { image: String, why: String },
    #[error("the connection to {host} broke: {why}")]
    Broken { host: String, why: String },
    #[error("the trusted certificates cannot be read from {path}: {why}")]
    Roots { path: String, why: String },
}

fn after(retry_after: &Option<String>) -> String {
    retry_after.as_ref().map(|after| format!(". Retry after {after} s")).unwrap_or_default()
}

impl Error {
    /// Whether the same request may succeed at once, without any change by a person.
    pub fn is_transient(&self) -> bool {
        match self {
            Error::Unreachable { .. } | Error::Broken { .. } => true,
            Error::Status { status, .. } => *status >= 500,
            _ => false,
        }
    }
}
