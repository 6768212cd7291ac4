//! Who calls.

use escale_base::Arn;
use serde::{Deserialize, Serialize};

/// The identity behind a request, as IAM policies name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Principal {
    /// The account's root key: may do all.
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
    /// A service of the cloud itself, for example `ecs.amazonaws.com`: may do what its operations need.
    Service(String),
    /// A service acting for one of its resources, for example a distribution that fetches from a bucket: only a resource
    /// policy can let it in.
    OnBehalf {
        service: String,
        source_arn: String,
    },
    /// An unsigned request: only a resource policy can let it in.
    Anonymous,
}

impl Principal {
    /// The ARN that GetCallerIdentity gives and `aws:PrincipalArn` compares.
    pub fn arn(&self, account: &str) -> String {
        match self {
            Principal::Root => Arn::new("iam", "", account, "root").to_string(),
            Principal::User { name } => Arn::new("iam", "", account, format!("user/{name}")).to_string(),
            Principal::Role { name, session, .. } => {
                Arn::new("sts", "", account, format!("assumed-role/{name}/{session}")).to_string()
            }
            Principal::Service(name) => name.clone(),
            Principal::OnBehalf { service, .. } => service.clone(),
            Principal::Anonymous => "*".into(),
        }
    }
}

/// One request's circumstances.
#[derive(Clone, Debug)]
pub struct Caller {
    pub principal: Principal,
    /// Whether temporary credentials prove it: a session of a role, but also one of a user or the root account.
    pub in_session: bool,
    pub request_id: String,
    /// The peer's address; `None` for calls from inside.
    pub source_ip: Option<std::net::IpAddr>,
    /// Host and port under which the client reached the API: for URLs in answers.
    pub host: String,
}

impl Caller {
    /// A call that a service makes on its own account, for example ECS creating an interface.
    pub fn service(name: &str) -> Caller {
        Caller {
            principal: Principal::Service(name.to_owned()),
            in_session: false,
            request_id: escale_base::ids::random_uuid(),
            source_ip: None,
            host: String::new(),
        }
    }
}
