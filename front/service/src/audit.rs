//! The record of calls: caller, operation, source address, and the policy statement that denied the call.

use crate::{Arrival, Principal};
use escale_base::Timestamp;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Stores records. Must never wait: it is called while a client waits for its answer.
pub trait Audit: Send + Sync + 'static {
    fn record(&self, call: AuditedCall);
}

/// A call that was answered. It holds no request parameter and no credential but the access key's id.
#[derive(Clone, Debug)]
pub struct AuditedCall {
    pub at: Timestamp,
    pub principal: Principal,
    pub in_session: bool,
    pub access_key: Option<String>,
    /// `None` for the daemon's own calls.
    pub arrival: Option<Arrival>,
    pub request_id: String,
    pub user_agent: String,
    /// `ec2.amazonaws.com`
    pub event_source: String,
    pub operation: String,
    pub kind: EventKind,
    pub notes: Noted,
    /// The code of the error, if the call failed.
    pub error_code: Option<String>,
    /// Only for denials: the messages of other errors may repeat what the client sent.
    pub denial_message: Option<String>,
}

impl AuditedCall {
    /// Whether authorization denied the call or a part of it.
    pub fn is_denied(&self) -> bool {
        self.notes.denial.is_some() || self.denial_message.is_some()
    }
}

/// CloudTrail's category of an operation.
///
/// Source: <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/logging-data-events-with-cloudtrail.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    Management,
    /// Operations on the content of resources, such as objects: recorded when they are denied.
    Data,
    /// Reads of the record itself: recorded when they are denied. Otherwise a client that follows the record would fill it.
    TrailRead,
}

/// The results of authorization for one call.
#[derive(Clone, Debug, Default)]
pub struct Noted {
    /// ARNs of the first authorization check.
    pub resources: Vec<String>,
    /// The first denial.
    pub denial: Option<Denial>,
}

/// Why a call was denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// `ec2:CreateVpc`; `None` if no policy decided.
    pub action: Option<String>,
    pub resource: Option<String>,
    pub reason: DenialReason,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DenialReason {
    /// A statement with `"Effect": "Deny"` applies.
    ExplicitDeny(Option<DecidingStatement>),
    /// No statement allows it.
    NoAllow,
    /// The root principal came through a listener inside the cloud.
    RootInsideCloud,
}

/// A statement of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecidingStatement {
    pub policy: PolicyName,
    /// Its index in the document, beginning with 0.
    pub index: usize,
    pub sid: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyName {
    /// An inline policy; `bearer` is the ARN of its user or role.
    Inline { name: String, bearer: String },
    /// A managed policy, by its ARN.
    Managed(String),
    /// The policy of the requested resource, by the resource's ARN.
    Resource(String),
}

/// Collects the results of authorization for one call. Shared with the listener, which records the call when it ends.
#[derive(Debug, Default)]
pub struct CallNotes(Mutex<Noted>);

/// The number of a call's resources that are recorded, and the characters of each. They limit the size of a record.
const RESOURCES: usize = 5;
const RESOURCE_CHARS: usize = 512;

impl CallNotes {
    pub(crate) fn asked(&self, resources: &[String]) {
        let mut noted = self.lock();
        // Only the operation's own check counts: further ones are about secondary actions.
        if noted.resources.is_empty() {
            let cut = |arn: &String| arn.chars().take(RESOURCE_CHARS).collect();
            noted.resources = resources.iter().take(RESOURCES).map(cut).collect();
        }
    }

    pub(crate) fn denied(&self, denial: Denial) {
        self.lock().denial.get_or_insert(denial);
    }

    pub fn take(&self) -> Noted {
        std::mem::take(&mut self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
