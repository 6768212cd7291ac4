//! The caller of an operation.

use crate::{Arrival, CallNotes, Entrance, Source};
use escale_base::{Arn, AwsError, ErrorKind};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The identity behind a request, as IAM policies name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Principal {
    /// The account's root: may do everything. Accepted at the host's endpoint only: see [`Caller::arriving`].
    Root,
    User {
        name: String,
    },
    /// Temporary credentials of a role.
    Role {
        name: String,
        session: String,
        role_id: String,
    },
    /// A service of the cloud itself, for example `ecs.amazonaws.com`: may do everything.
    Service(String),
    /// A service that acts for one of its resources, for example a distribution that fetches from a bucket: only a resource
    /// policy can allow it.
    OnBehalf {
        service: String,
        source_arn: String,
    },
    /// A user of another account, for example an origin access identity of CloudFront: only a resource policy can allow it.
    Foreign {
        arn: String,
        /// The id by which bucket policies name it.
        canonical_id: String,
    },
    /// An unsigned request: only a resource policy can allow it.
    Anonymous,
}

impl Principal {
    /// The ARN that GetCallerIdentity returns and `aws:PrincipalArn` compares.
    pub fn arn(&self, account: &str) -> String {
        match self {
            Principal::Root => Arn::new("iam", "", account, "root").to_string(),
            Principal::User { name } => Arn::new("iam", "", account, format!("user/{name}")).to_string(),
            Principal::Role { name, session, .. } => {
                Arn::new("sts", "", account, format!("assumed-role/{name}/{session}")).to_string()
            }
            Principal::Service(name) => name.clone(),
            Principal::OnBehalf { service, .. } => service.clone(),
            Principal::Foreign { arn, .. } => arn.clone(),
            Principal::Anonymous => "*".into(),
        }
    }
}

/// The caller of one request and its circumstances.
#[derive(Clone, Debug)]
pub struct Caller {
    pub principal: Principal,
    /// Whether the credentials are temporary: a role's session, but also one of a user or the root.
    pub in_session: bool,
    pub request_id: String,
    pub source: Source,
    /// The API's host and port as the client named them: for URLs in answers.
    pub host: String,
    /// The region that the client called, if it is not the installation's: see [`crate::Service::also_in`].
    pub region: Option<&'static str>,
    /// The results of authorization, for the record of calls; `None` for the daemon's own calls.
    pub notes: Option<Arc<CallNotes>>,
}

/// The root principal was proven at a listener other than the host's endpoint.
#[derive(Debug, thiserror::Error)]
#[error(
    "The credentials are those of the account's root, which is accepted at the API's endpoint on the host's loopback address \
     only. This request came through an address inside the cloud. Use the credentials of a role or a user here."
)]
pub struct RootRefused;

impl From<RootRefused> for AwsError {
    fn from(refused: RootRefused) -> AwsError {
        AwsError::new(ErrorKind::Denied, "AccessDenied", 403, refused.to_string())
    }
}

impl Caller {
    /// A client whose credentials were verified; every listener makes its callers here. The root principal is accepted from
    /// the host's loopback only, whatever proves it: the key, a session, a presigned URL, a registry token. Otherwise a
    /// container that learns the root key would have all rights of the account.
    pub fn arriving(
        principal: Principal,
        in_session: bool,
        request_id: String,
        arrival: Arrival,
        host: String,
    ) -> Result<Caller, RootRefused> {
        match (&principal, arrival.entrance) {
            (Principal::Root, Entrance::Cloud) => Err(RootRefused),
            _ => {
                let (source, notes) = (Source::client(arrival), Some(Arc::default()));
                Ok(Caller { principal, in_session, request_id, source, host, region: None, notes })
            }
        }
    }

    /// The caller of an operation that a service calls in its own name, for example ECS for creating an interface.
    pub fn service(name: &str) -> Caller {
        Caller {
            principal: Principal::Service(name.to_owned()),
            in_session: false,
            request_id: escale_base::ids::random_uuid(),
            source: Source::DAEMON,
            host: String::new(),
            region: None,
            notes: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_root_at_the_hosts_endpoint_only() {
        let arrive = |principal, entrance, in_session| {
            let arrival = Arrival { entrance, peer: ([198, 18, 0, 9], 1).into(), tls: None };
            Caller::arriving(principal, in_session, String::new(), arrival, String::new()).is_ok()
        };
        for in_session in [false, true] {
            assert!(arrive(Principal::Root, Entrance::HostLoopback, in_session));
            assert!(!arrive(Principal::Root, Entrance::Cloud, in_session));
            let user = || Principal::User { name: "u".into() };
            assert!(arrive(user(), Entrance::HostLoopback, in_session));
            assert!(arrive(user(), Entrance::Cloud, in_session));
        }
    }
}
