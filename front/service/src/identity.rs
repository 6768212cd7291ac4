//! Credentials and authorization decisions, as the IAM service provides them.

use crate::{Caller, DenialReason, Principal};
use escale_base::{Secret, Timestamp};
use escale_store::Image;

/// The principal and secret of an access key.
#[derive(Clone, Debug)]
pub struct Credential {
    pub principal: Principal,
    pub secret: Secret<String>,
    /// The token that a request with temporary credentials must have.
    pub session_token: Option<Secret<String>>,
    pub expires: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    Allow,
    /// An explicit `Deny`, or no `Allow`: `why` names which, in AWS's words.
    Deny {
        why: String,
        reason: DenialReason,
    },
}

/// A policy attached to a resource rather than to a caller: a bucket's, a repository's.
#[derive(Clone, Debug)]
pub struct ResourcePolicy {
    pub document: String,
}

/// One authorization request.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// `s3:GetObject`
    pub action: &'a str,
    /// All must be allowed; an empty list means `*`.
    pub resources: &'a [String],
    /// Condition keys that this request alone has, in lower case: `iam:passedtoservice`.
    pub keys: &'a [(&'static str, &'a str)],
    /// The policies attached to the resources.
    pub policies: &'a [ResourcePolicy],
}

/// Implemented by the IAM service; the gate asks it for every request.
pub trait Identity: Send + Sync + 'static {
    fn credential(&self, image: &Image, access_key: &str) -> Option<Credential>;

    /// Decides whether `caller` may do this.
    fn decide(&self, image: &Image, caller: &Caller, asked: &Asked<'_>) -> Decision;
}
