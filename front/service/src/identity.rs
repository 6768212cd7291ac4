//! Who holds a key, and what they may do: asked of the service that keeps identities.

use crate::{Caller, DenialReason, Principal};
use escale_base::{Secret, Timestamp};
use escale_store::Image;

/// What an access key stands for.
#[derive(Clone, Debug)]
pub struct Credential {
    pub principal: Principal,
    pub secret: Secret<String>,
    /// The token that temporary credentials must show.
    pub session_token: Option<Secret<String>>,
    pub expires: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    Allow,
    /// An explicit `Deny`, or no `Allow`: says which, in AWS's words.
    Deny {
        why: String,
        reason: DenialReason,
    },
}

/// A policy that hangs on a resource rather than on a caller: a bucket's, a repository's.
#[derive(Clone, Debug)]
pub struct ResourcePolicy {
    pub document: String,
}

/// What somebody wants to do.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// `s3:GetObject`
    pub action: &'a str,
    /// All of them; none stands for `*`.
    pub resources: &'a [String],
    /// Condition keys that this request alone has, in lower case: `iam:passedtoservice`.
    pub keys: &'a [(&'static str, &'a str)],
    /// The policies that hang on the resources.
    pub policies: &'a [ResourcePolicy],
}

/// Implemented by the IAM service; the gate asks it for every request.
pub trait Identity: Send + Sync + 'static {
    fn credential(&self, image: &Image, access_key: &str) -> Option<Credential>;

    /// May `caller` do what is asked?
    fn decide(&self, image: &Image, caller: &Caller, asked: &Asked<'_>) -> Decision;
}
