//! Answers the gate: which principal holds an access key, and whether a caller may perform an action.

use crate::{Iam, aws_managed, entity::Entity};
use escale_policy::{Context, Document, Kind, Outcome, Question, Who, decide};
use escale_service::{
    Asked, Caller, Credential, DecidingStatement, Decision, DenialReason, Identity, PolicyName, Principal,
    ResourcePolicy,
};
use escale_store::Image;
use escale_tables::iam::{
    AccessKey, Holder, Policy, PolicyArn, PolicyName as IamPolicyName, Role, SessionOf, User,
};

/// The actions that AWS allows to every principal, even if a policy denies them.
const ALWAYS_ALLOWED: [&str; 2] = ["sts:GetCallerIdentity", "sts:GetSessionToken"];

impl Identity for Iam {
    fn credential(&self, image: &Image, access_key: &str) -> Option<Credential> {
        // The root key has no row: it belongs to the installation.
        if access_key == self.root_key {
            return Some(Credential {
                principal: Principal::Root,
                secret: self.root_secret.clone(),
                session_token: None,
                expires: None,
            });
        }
        let key = image.get::<AccessKey>(access_key).filter(|k| k.active)?;
        let (principal, session_token, expires) = match &key.holder {
            Holder::User(name) => (Principal::User { name: name.to_string() }, None, None),
            Holder::Session { of, token, expires } => {
                (session_principal(image, of)?, Some(token.clone()), Some(*expires))
            }
        };
        Some(Credential { principal, secret: key.secret.clone(), session_token, expires })
    }

    fn decide(&self, image: &Image, caller: &Caller, asked: &Asked<'_>) -> Decision {
        let action = asked.action;
        if ALWAYS_ALLOWED.contains(&action) {
            return Decision::Allow;
        }
        let Some(own) = documents_of(image, &caller.principal) else {
            // The policy may contain a denial, so it must not be skipped.
            return denied("a policy of the caller cannot be parsed", DenialReason::ExplicitDeny(None));
        };
        // For AssumeRole these are the role's trust policy.
        let read = |p: &ResourcePolicy| Document::parse(&p.document, Kind::Resource);
        let Ok(attached) = asked.policies.iter().map(read).collect::<Result<Vec<_>, _>>() else {
            return denied("the resource's policy cannot be parsed", DenialReason::ExplicitDeny(None));
        };
        let mut context = self.context(image, caller);
        context.given = asked.keys.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        // A request that names no resource is authorized for `*`.
        let all = ["*".to_owned()];
        let resources = if asked.resources.is_empty() { &all[..] } else { asked.resources };
        // The action must be allowed on every resource of the request.
        for resource in resources {
            let question = Question { context: &context, action, resource };
            match decide(&question, &own, &attached) {
                Outcome::Allowed => {}
                Outcome::DeniedBy { resource: true } => {
                    let by = on_resource(&attached, &question);
                    return denied(
                        "of an explicit deny in a resource-based policy",
                        DenialReason::ExplicitDeny(by),
                    );
                }
                Outcome::DeniedBy { resource: false } => {
                    let by = self.on_caller(image, &caller.principal, &question);
                    return denied(
                        "of an explicit deny in an identity-based policy",
                        DenialReason::ExplicitDeny(by),
                    );
                }
                Outcome::NotAllowed => {
                    let why = format!("no identity-based policy allows the {action} action");
                    return denied(&why, DenialReason::NoAllow);
                }
            }
        }
        Decision::Allow
    }
}

/// The principal of a session. A session ends with its user or role: a later one with the same name has another id.
fn session_principal(image: &Image, of: &SessionOf) -> Option<Principal> {
    match of {
        SessionOf::Root => Some(Principal::Root),
        SessionOf::User { name, id } => {
            image.get::<User>(name).filter(|u| u.id == *id)?;
            Some(Principal::User { name: name.to_string() })
        }
        SessionOf::Role { name, id, session } => {
            image.get::<Role>(name).filter(|r| r.id == *id)?;
            Some(Principal::Role {
                name: name.to_string(),
                session: session.to_string(),
                role_id: id.to_string(),
            })
        }
    }
}

fn denied(why: &str, reason: DenialReason) -> Decision {
    Decision::Deny { why: why.to_owned(), reason }
}

fn deciding(document: &Document, question: &Question<'_>, policy: PolicyName) -> Option<DecidingStatement> {
    let (index, sid) = document.denying(question)?;
    Some(DecidingStatement { policy, index, sid: sid.map(str::to_owned) })
}

fn on_resource(attached: &[Document], question: &Question<'_>) -> Option<DecidingStatement> {
    let policy = || PolicyName::Resource(question.resource.to_owned());
    attached.iter().find_map(|document| deciding(document, question, policy()))
}

impl Iam {
    /// The statement of the caller's own policies that denies the action.
    fn on_caller(
        &self,
        image: &Image,
        principal: &Principal,
        question: &Question<'_>,
    ) -> Option<DecidingStatement> {
        match principal {
            Principal::User { name } => self.on_entity(image, &*image.get::<User>(name)?, question),
            Principal::Role { name, .. } => self.on_entity(image, &*image.get::<Role>(name)?, question),
            _ => None,
        }
    }

    fn on_entity<E: Entity>(
        &self,
        image: &Image,
        row: &E,
        question: &Question<'_>,
    ) -> Option<DecidingStatement> {
        let arn = format!("arn:aws:iam::{}:{}{}{}", self.account, E::ARN, row.path(), row.name());
        named_documents(image, row)?.into_iter().find_map(|(policy, document)| {
            let policy = match policy {
                Named::Inline(name) => PolicyName::Inline { name: name.to_string(), bearer: arn.clone() },
                Named::Managed(policy) => PolicyName::Managed(policy.to_string()),
            };
            deciding(&document, question, policy)
        })
    }

    fn context(&self, image: &Image, caller: &Caller) -> Context {
        let account = self.account.as_str();
        // A user or role that was deleted after its key was looked up matches no principal of a policy.
        let (who, tags) = match &caller.principal {
            Principal::Root => (Who::Account, Vec::new()),
            Principal::User { name } => match image.get::<User>(name) {
                Some(user) => (Who::user(account, &user.path, name, &user.id), user.tags.clone()),
                None => (Who::Anonymous, Vec::new()),
            },
            Principal::Role { name, session, role_id } => match image.get::<Role>(name) {
                Some(role) => (Who::role(account, &role.path, name, role_id, session), role.tags.clone()),
                None => (Who::Anonymous, Vec::new()),
            },
            Principal::Service(name) => (Who::Service { name: name.clone(), source_arn: None }, Vec::new()),
            Principal::OnBehalf { service, source_arn } => {
                (Who::Service { name: service.clone(), source_arn: Some(source_arn.clone()) }, Vec::new())
            }
            Principal::Foreign { arn, canonical_id } => {
                (Who::Foreign { arn: arn.clone(), canonical_id: canonical_id.clone() }, Vec::new())
            }
            Principal::Anonymous => (Who::Anonymous, Vec::new()),
        };
        Context {
            who,
            tags,
            account: account.to_owned(),
            region: caller.region.map_or_else(|| self.region.clone(), str::to_owned),
            now: self.clock.now(),
            source_ip: caller.source.ip(),
            secure_transport: Some(caller.source.is_secure()),
            given: Vec::new(),
        }
    }
}

/// The caller's policies; `None` if one of them cannot be parsed.
fn documents_of(image: &Image, principal: &Principal) -> Option<Vec<Document>> {
    let none = || Some(Vec::new());
    match principal {
        Principal::User { name } => image.get::<User>(name).map_or_else(none, |u| documents(image, &*u)),
        Principal::Role { name, .. } => image.get::<Role>(name).map_or_else(none, |r| documents(image, &*r)),
        // They have no policies of their own.
        Principal::Root
        | Principal::Service(_)
        | Principal::OnBehalf { .. }
        | Principal::Foreign { .. }
        | Principal::Anonymous => none(),
    }
}

/// The name of a policy of a user or role.
enum Named<'a> {
    Inline(&'a IamPolicyName),
    Managed(&'a PolicyArn),
}

/// The policies of a user or role; `None` if one cannot be parsed. Operations only store policies that can be parsed, but this
/// version of Escale may refuse one that an earlier version has stored.
pub(crate) fn documents<E: Entity>(image: &Image, row: &E) -> Option<Vec<Document>> {
    Some(named_documents(image, row)?.into_iter().map(|(_, document)| document).collect())
}

fn named_documents<'a, E: Entity>(image: &Image, row: &'a E) -> Option<Vec<(Named<'a>, Document)>> {
    let parse = |text: &str| Document::parse(text, Kind::Identity).ok();
    let inline = row.inline().iter().map(|(name, text)| Some((Named::Inline(name), parse(text)?)));
    let managed = row.attached().iter().map(|arn| {
        let document = match image.get::<Policy>(arn) {
            Some(own) => parse(own.document())?,
            None => aws_managed::find(arn)?.parse().ok()?,
        };
        Some((Named::Managed(arn), document))
    });
    inline.chain(managed).collect()
}
