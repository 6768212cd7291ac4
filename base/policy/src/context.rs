//! The principal of a request, and the request's context.

use escale_base::{Arn, Tag, Timestamp, tags};
use std::net::IpAddr;

/// The principal of a request, as policies name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// The account itself: its root user.
    Account,
    User {
        arn: String,
        name: String,
        id: String,
    },
    /// A session of a role. Policies name the role or the session.
    Role {
        role_arn: String,
        session_arn: String,
        role_id: String,
        session: String,
    },
    /// A service of the cloud, and the resource it acts for.
    Service {
        name: String,
        source_arn: Option<String>,
    },
    /// A user of another account.
    Foreign {
        arn: String,
        canonical_id: String,
    },
    Anonymous,
}

impl Who {
    pub fn user(account: &str, path: &str, name: &str, id: &str) -> Who {
        let arn = Arn::new("iam", "", account, format!("user{path}{name}")).to_string();
        Who::User { arn, name: name.to_owned(), id: id.to_owned() }
    }

    /// A session's ARN leaves out the role's path, as AWS's does.
    pub fn role(account: &str, path: &str, name: &str, role_id: &str, session: &str) -> Who {
        Who::Role {
            role_arn: Arn::new("iam", "", account, format!("role{path}{name}")).to_string(),
            session_arn: Arn::new("sts", "", account, format!("assumed-role/{name}/{session}")).to_string(),
            role_id: role_id.to_owned(),
            session: session.to_owned(),
        }
    }
}

/// The context of one request.
#[derive(Clone, Debug)]
pub struct Context {
    pub who: Who,
    /// Tags of the user or role.
    pub tags: Vec<Tag>,
    pub account: String,
    pub region: String,
    pub now: Timestamp,
    pub source_ip: Option<IpAddr>,
    /// Whether the request came over TLS; `None` if there is no request, as in a simulation.
    pub secure_transport: Option<bool>,
    /// Keys that only one operation provides, in lower case: `sts:externalid`.
    pub given: Vec<(&'static str, String)>,
}

/// The question whether the principal of `context` may do `action` on `resource`.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    pub context: &'a Context,
    pub action: &'a str,
    pub resource: &'a str,
}

/// Condition keys that (some) requests have a value for, in lower case. `aws:PrincipalTag/…` is supported as well.
const KEYS: &[&str] = &[
    "aws:currenttime",
    "aws:epochtime",
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalisawsservice",
    "aws:principalservicename",
    "aws:principaltype",
    "aws:requestedregion",
    "aws:resourceaccount",
    "aws:securetransport",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceip",
    "aws:userid",
    "aws:username",
    "cloudformation:createaction",
    "ec2:createaction",
    "ecs:createaction",
    "elasticloadbalancing:createaction",
    "iam:passedtoservice",
    "s3:delimiter",
    "s3:max-keys",
    "s3:prefix",
    "s3:resourceaccount",
    "s3:x-amz-acl",
    "s3:x-amz-server-side-encryption",
    "sts:externalid",
    "sts:rolesessionname",
];

/// Services that Escale does not have. A key of theirs is only in requests to them (a request to S3 has no `kms:ViaService`), so
/// no request here has it, as none but theirs has it on AWS.
const ABSENT: &[&str] = &["devops-guru", "kms", "s3express"];

/// Keys that no request here has, as none has on AWS in such an account: it is in no organization, and no operation creates roles
/// that are linked to a service. S3 refuses explicit grants and keys of KMS, so no upload has their headers.
const NEVER: &[&str] = &[
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:resourceorgid",
    "aws:resourceorgpaths",
    "aws:sourceorgid",
    "aws:sourceorgpaths",
    "iam:awsservicename",
    "s3:x-amz-grant-full-control",
    "s3:x-amz-grant-read",
    "s3:x-amz-grant-read-acp",
    "s3:x-amz-grant-write",
    "s3:x-amz-grant-write-acp",
    "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "s3:x-amz-server-side-encryption-customer-algorithm",
];

const PRINCIPAL_TAG: &str = "aws:principaltag/";

/// Whether a condition may use this key.
pub(crate) fn is_known(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let of_absent = key.split_once(':').is_some_and(|(service, _)| ABSENT.contains(&service));
    of_absent
        || KEYS.contains(&key.as_str())
        || NEVER.contains(&key.as_str())
        || key.strip_prefix(PRINCIPAL_TAG).is_some_and(|tag| !tag.is_empty())
}

impl Question<'_> {
    /// The value of a condition key; `None` when this request has none.
    pub(crate) fn value(&self, key: &str) -> Option<String> {
        let is_of_s3 = key.eq_ignore_ascii_case("s3:ResourceAccount");
        if is_of_s3 && !self.action.starts_with("s3:") { None } else { self.context.value(key) }
    }
}

impl Context {
    /// The value of a condition key or policy variable, whatever the action.
    pub(crate) fn value(&self, key: &str) -> Option<String> {
        let lower = key.to_ascii_lowercase();
        if lower.starts_with(PRINCIPAL_TAG) {
            return tags::get(&self.tags, key.get(PRINCIPAL_TAG.len()..)?).map(str::to_owned);
        }
        match lower.as_str() {
            "aws:currenttime" => Some(self.now.iso8601()),
            "aws:epochtime" => Some(self.now.secs().to_string()),
            "aws:principalaccount" if !self.is_outside() => Some(self.account.clone()),
            "aws:principalarn" => self.principal_arn(),
            "aws:principalisawsservice" => Some(matches!(self.who, Who::Service { .. }).to_string()),
            "aws:principalservicename" => match &self.who {
                Who::Service { name, .. } => Some(name.clone()),
                _ => None,
            },
            "aws:principaltype" => Some(self.principal_type().to_owned()),
            "aws:requestedregion" => Some(self.region.clone()),
            // An installation has one account, which owns all of its resources.
            "aws:resourceaccount" | "s3:resourceaccount" => Some(self.account.clone()),
            "aws:securetransport" => self.secure_transport.map(|secure| secure.to_string()),
            "aws:sourceaccount" => matches!(self.who, Who::Service { .. }).then(|| self.account.clone()),
            "aws:sourcearn" => match &self.who {
                Who::Service { source_arn, .. } => source_arn.clone(),
                _ => None,
            },
            "aws:sourceip" => self.source_ip.map(|ip| ip.to_string()),
            "aws:userid" => self.user_id(),
            "aws:username" => match &self.who {
                Who::User { name, .. } => Some(name.clone()),
                _ => None,
            },
            given => self.given.iter().find(|(k, _)| *k == given).map(|(_, v)| v.clone()),
        }
    }

    fn is_outside(&self) -> bool {
        matches!(self.who, Who::Service { .. } | Who::Foreign { .. } | Who::Anonymous)
    }

    fn principal_arn(&self) -> Option<String> {
        match &self.who {
            Who::Account => Some(format!("arn:aws:iam::{}:root", self.account)),
            Who::User { arn, .. } | Who::Foreign { arn, .. } => Some(arn.clone()),
            // Conditions on the principal's ARN name the role, not its session.
            Who::Role { role_arn, .. } => Some(role_arn.clone()),
            Who::Service { .. } | Who::Anonymous => None,
        }
    }

    fn principal_type(&self) -> &'static str {
        match self.who {
            Who::Account => "Account",
            Who::User { .. } | Who::Foreign { .. } => "User",
            Who::Role { .. } => "AssumedRole",
            Who::Service { .. } => "Service",
            Who::Anonymous => "Anonymous",
        }
    }

    fn user_id(&self) -> Option<String> {
        match &self.who {
            Who::Account => Some(self.account.clone()),
            Who::User { id, .. } => Some(id.clone()),
            Who::Role { role_id, session, .. } => Some(format!("{role_id}:{session}")),
            Who::Anonymous => Some("anonymous".to_owned()),
            Who::Service { .. } | Who::Foreign { .. } => None,
        }
    }
}
