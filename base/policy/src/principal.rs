//! The principals that a statement applies to.

use crate::{Context, Who};
use serde_json::Value;

/// `Principal`, or (`not`) `NotPrincipal`.
#[derive(Clone, Debug)]
pub(crate) struct Principals {
    named: Vec<Named>,
    not: bool,
}

#[derive(Clone, Debug)]
enum Named {
    Everyone,
    /// An account number, or an ARN.
    Aws(String),
    Service(String),
    /// A canonical user id: the account's own, or that of a user of another account.
    Canonical(String),
}

/// How a statement names the principal of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Naming {
    No,
    /// Through its account: the account's own policies then decide.
    Account,
    /// By name: sufficient within one account.
    Directly,
}

impl Principals {
    pub(crate) fn read(value: &Value, not: bool) -> Result<Principals, String> {
        let invalid = |what: &str| format!("Invalid principal in policy: {what}");
        let mut named = Vec::new();
        match value {
            Value::String(all) if all == "*" => named.push(Named::Everyone),
            Value::Object(kinds) => {
                for (kind, who) in kinds {
                    let who = strings(who).ok_or_else(|| invalid(&format!("\"{kind}\":{who}")))?;
                    for who in who {
                        named.push(match (kind.as_str(), who.as_str()) {
                            ("AWS", "*") => Named::Everyone,
                            ("AWS", _) if is_account(&who) || who.starts_with("arn:") => Named::Aws(who),
                            ("Service", _) => Named::Service(who),
                            ("CanonicalUser", id) if is_canonical(id) => Named::Canonical(who),
                            ("Federated", _) => {
                                return Err(format!("A {kind} principal ({who}) is not supported"));
                            }
                            _ => return Err(invalid(&format!("\"{kind}\":\"{who}\""))),
                        });
                    }
                }
            }
            other => return Err(invalid(&other.to_string())),
        }
        Ok(Principals { named, not })
    }

    pub(crate) fn name(&self, context: &Context) -> Naming {
        let naming = self.named.iter().map(|n| n.name(context)).max().unwrap_or(Naming::No);
        match (self.not, naming) {
            (false, naming) => naming,
            (true, Naming::No) => Naming::Directly,
            (true, _) => Naming::No,
        }
    }
}

impl Named {
    fn name(&self, context: &Context) -> Naming {
        let says = |hit: bool| if hit { Naming::Directly } else { Naming::No };
        match (self, &context.who) {
            (Named::Everyone, _) => Naming::Directly,
            (Named::Service(service), Who::Service { name, .. }) => says(service == name),
            (Named::Service(_), _) | (Named::Aws(_), Who::Service { .. } | Who::Anonymous) => Naming::No,
            (Named::Aws(who), Who::Foreign { arn, .. }) => says(who == arn),
            (Named::Canonical(id), Who::Foreign { canonical_id, .. }) => says(id == canonical_id),
            (Named::Canonical(_), Who::Service { .. } | Who::Anonymous) => Naming::No,
            (Named::Aws(who) | Named::Canonical(who), asker) => {
                let whole = *who == context.account
                    || *who == format!("arn:aws:iam::{}:root", context.account)
                    || *who == format!("{:0>64}", context.account);
                match asker {
                    Who::Account => says(whole),
                    _ if whole => Naming::Account,
                    Who::User { arn, .. } => says(who == arn),
                    Who::Role { role_arn, session_arn, .. } => says(who == role_arn || who == session_arn),
                    Who::Service { .. } | Who::Foreign { .. } | Who::Anonymous => Naming::No,
                }
            }
        }
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// Accounts have 64 hexadecimal digits, CloudFront's identities 96.
fn is_canonical(text: &str) -> bool {
    (text.len() == 64 || text.len() == 96) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn strings(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(s) => Some(vec![s.clone()]),
        Value::Array(items) => items.iter().map(|v| v.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}
