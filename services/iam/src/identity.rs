//! Who holds a key, and what they may do.

use crate::{
    Iam,
    policy::{Document, Effect, Question, Verdict},
};
use escale_service::{Caller, Credential, Decision, Identity, Principal, ResourcePolicy};
use escale_store::Image;
use escale_tables::iam::{AccessKey, Holder, Policy, Role, User};

impl Identity for Iam {
    fn credential(&self, image: &Image, access_key: &str) -> Option<Credential> {
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
            Holder::User(name) => (Principal::User { name: name.clone() }, None, None),
            Holder::Session { role: None, token, expires, .. } => {
                (Principal::Root, Some(token.clone()), Some(*expires))
            }
            Holder::Session { role: Some(name), session, token, expires } => {
                let role = image.get::<Role>(name)?;
                let (name, session, role_id) = (name.clone(), session.clone(), role.id.clone());
                (Principal::Role { name, session, role_id }, Some(token.clone()), Some(*expires))
            }
        };
        Some(Credential { principal, secret: key.secret.clone(), session_token, expires })
    }

    fn decide(
        &self,
        image: &Image,
        caller: &Caller,
        action: &str,
        resources: &[String],
        policies: &[ResourcePolicy],
    ) -> Decision {
        let own = documents_of(image, &caller.principal);
        let attached: Vec<Document> =
            policies.iter().filter_map(|p| Document::parse(&p.document).ok()).collect();
        let all = ["*".to_owned()];
        let resources = if resources.is_empty() { &all[..] } else { resources };
        for resource in resources {
            let question = Question { caller, action, resource };
            let mut allowed = false;
            for document in &own {
                match document.evaluate(&question, false) {
                    Verdict::Silent => {}
                    Verdict::Says(Effect::Allow) => allowed = true,
                    Verdict::Says(Effect::Deny) => {
                        return denied("of an explicit deny in an identity-based policy");
                    }
                }
            }
            for document in &attached {
                match document.evaluate(&question, true) {
                    Verdict::Silent => {}
                    Verdict::Says(Effect::Allow) => allowed = true,
                    Verdict::Says(Effect::Deny) => {
                        return denied("of an explicit deny in a resource-based policy");
                    }
                }
            }
            if !allowed {
                return denied(&format!("no identity-based policy allows the {action} action"));
            }
        }
        Decision::Allow
    }
}

fn denied(why: &str) -> Decision {
    Decision::Deny { why: why.to_owned() }
}

/// The policies that hang on the caller. One that cannot be read allows nothing: operations refuse such a document,
/// so there is none.
fn documents_of(image: &Image, principal: &Principal) -> Vec<Document> {
    let (inline, attached) = match principal {
        Principal::User { name } => match image.get::<User>(name) {
            Some(user) => (user.inline.clone(), user.attached.clone()),
            None => return Vec::new(),
        },
        Principal::Role { name, .. } => match image.get::<Role>(name) {
            Some(role) => (role.inline.clone(), role.attached.clone()),
            None => return Vec::new(),
        },
        Principal::Root | Principal::Service(_) | Principal::OnBehalf { .. } | Principal::Anonymous => {
            return Vec::new();
        }
    };
    let managed = attached.iter().filter_map(|arn| {
        let own = image.get::<Policy>(arn).map(|p| p.document().to_owned());
        own.or_else(|| crate::policy::aws_managed(arn).map(str::to_owned))
    });
    inline.into_values().chain(managed).filter_map(|text| Document::parse(&text).ok()).collect()
}
