//! Evaluates several documents together, within one account.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics.html>

use crate::{Document, Question, Verdict, Who};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Allowed,
    /// A statement denies it; the flag says whether it belongs to the resource's document.
    DeniedBy {
        resource: bool,
    },
    /// No statement allows it.
    NotAllowed,
}

/// Decides a question by the documents of the principal (`identity`) and of the resource.
///
/// A `Deny` wins. A resource document that names the principal allows it alone; one that names the account requires an
/// `Allow` of the principal's own documents too. Without a resource document, the principal's documents decide.
pub fn decide(question: &Question<'_>, identity: &[Document], resource: &[Document]) -> Outcome {
    let strongest = |documents: &[Document]| {
        documents.iter().map(|d| d.evaluate(question)).max().unwrap_or(Verdict::Silent)
    };
    let (own, on_resource) = (strongest(identity), strongest(resource));
    let is_account = matches!(question.context.who, Who::Account);
    match (own, on_resource) {
        (Verdict::Denies, _) => Outcome::DeniedBy { resource: false },
        (_, Verdict::Denies) => Outcome::DeniedBy { resource: true },
        (Verdict::Allows, _) | (_, Verdict::Allows) => Outcome::Allowed,
        // The account's root user needs no policy; only an explicit `Deny` stops it.
        _ if is_account => Outcome::Allowed,
        _ => Outcome::NotAllowed,
    }
}

/// Whether a role's trust document allows the principal to assume the role. A bucket is open to its own account without a
/// document; a role never is.
pub fn trusts(question: &Question<'_>, trust: &Document) -> bool {
    matches!(trust.evaluate(question), Verdict::Allows | Verdict::Delegates)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Context, Kind};
    use escale_base::Timestamp;
    use serde_json::{Value, json};

    const ACCOUNT: &str = "000000000000";

    fn context(who: Who) -> Context {
        Context {
            who,
            tags: Vec::new(),
            account: ACCOUNT.into(),
            region: "eu-west-3".into(),
            now: Timestamp(0),
            source_ip: None,
            secure_transport: None,
            given: Vec::new(),
        }
    }

    fn role() -> Who {
        Who::role(ACCOUNT, "/app/", "shop", "AROA1", "t")
    }

    fn document(statement: Value, kind: Kind) -> Document {
        Document::parse(&json!({"Version": "2012-10-17", "Statement": statement}).to_string(), kind).unwrap()
    }

    fn ask(who: Who, action: &str, resource: &str, own: Value, on_resource: Value) -> Outcome {
        let read = |v: Value, kind| if v.is_null() { Vec::new() } else { vec![document(v, kind)] };
        let context = context(who);
        let question = Question { context: &context, action, resource };
        decide(&question, &read(own, Kind::Identity), &read(on_resource, Kind::Resource))
    }

    #[test]
    fn identity_policies_decide_without_a_resource_policy() {
        let allow = json!([{"Effect": "Allow", "Action": ["s3:Get*"], "Resource": "arn:aws:s3:::media/*"}]);
        let both = json!([
            {"Effect": "Allow", "Action": "*", "Resource": "*"},
            {"Effect": "Deny", "NotAction": "s3:*", "Resource": "*"}
        ]);
        for (own, action, resource, expected) in [
            (&allow, "s3:GetObject", "arn:aws:s3:::media/a", Outcome::Allowed),
            (&allow, "s3:getobject", "arn:aws:s3:::media/a", Outcome::Allowed),
            (&allow, "s3:PutObject", "arn:aws:s3:::media/a", Outcome::NotAllowed),
            (&allow, "s3:GetObject", "arn:aws:s3:::static/a", Outcome::NotAllowed),
            (&both, "s3:GetObject", "x", Outcome::Allowed),
            (&both, "ec2:RunInstances", "x", Outcome::DeniedBy { resource: false }),
        ] {
            assert_eq!(ask(role(), action, resource, own.clone(), Value::Null), expected, "{own} {action}");
        }
    }

    /// Within one account: what each document says, and the result.
    #[test]
    fn resource_policy_allows_alone_or_delegates_to_the_account() {
        let own = |effect: &str| json!([{"Effect": effect, "Action": "s3:*", "Resource": "*"}]);
        let on = |effect: &str, principal: Value| json!([{"Effect": effect, "Principal": principal, "Action": "s3:*", "Resource": "*"}]);
        let root = json!({"AWS": format!("arn:aws:iam::{ACCOUNT}:root")});
        let number = json!({"AWS": ACCOUNT});
        let by_name = json!({"AWS": format!("arn:aws:iam::{ACCOUNT}:role/app/shop")});
        let by_session = json!({"AWS": format!("arn:aws:sts::{ACCOUNT}:assumed-role/shop/t")});
        let other_account = json!({"AWS": "arn:aws:iam::111111111111:root"});
        let other_role = json!({"AWS": format!("arn:aws:iam::{ACCOUNT}:role/shop")});
        let denied_here = Outcome::DeniedBy { resource: true };
        for (own, on, expected) in [
            (Value::Null, Value::Null, Outcome::NotAllowed),
            (Value::Null, on("Allow", root.clone()), Outcome::NotAllowed),
            (own("Allow"), on("Allow", root.clone()), Outcome::Allowed),
            (Value::Null, on("Allow", number), Outcome::NotAllowed),
            (Value::Null, on("Allow", by_name.clone()), Outcome::Allowed),
            (Value::Null, on("Allow", by_session), Outcome::Allowed),
            (Value::Null, on("Allow", json!("*")), Outcome::Allowed),
            (Value::Null, on("Allow", json!({"AWS": "*"})), Outcome::Allowed),
            (Value::Null, on("Allow", other_role), Outcome::NotAllowed),
            (Value::Null, on("Allow", other_account.clone()), Outcome::NotAllowed),
            (own("Allow"), on("Allow", other_account), Outcome::Allowed),
            (own("Allow"), on("Deny", root.clone()), denied_here),
            (own("Allow"), on("Deny", by_name.clone()), denied_here),
            (own("Deny"), on("Allow", by_name), Outcome::DeniedBy { resource: false }),
        ] {
            let found = ask(role(), "s3:GetObject", "arn:aws:s3:::media/a", own.clone(), on.clone());
            assert_eq!(found, expected, "own {own}, on the resource {on}");
        }
        let account = |on| ask(Who::Account, "s3:GetObject", "arn:aws:s3:::media/a", Value::Null, on);
        assert_eq!(account(Value::Null), Outcome::Allowed);
        assert_eq!(account(on("Deny", root)), denied_here);
    }

    #[test]
    fn not_principal_applies_to_all_others() {
        let except = json!([
            {"Effect": "Deny", "NotPrincipal": {"AWS": [format!("arn:aws:iam::{ACCOUNT}:role/app/shop")]},
             "Action": "s3:*", "Resource": "*"}
        ]);
        let allow = json!([{"Effect": "Allow", "Action": "*", "Resource": "*"}]);
        let user = Who::user(ACCOUNT, "/", "ada", "AIDA1");
        assert_eq!(ask(role(), "s3:GetObject", "x", allow.clone(), except.clone()), Outcome::Allowed);
        assert_eq!(ask(user, "s3:GetObject", "x", allow, except), Outcome::DeniedBy { resource: true });
    }

    #[test]
    fn service_may_act_only_for_the_named_resource() {
        let cdn = json!([{"Effect": "Allow", "Principal": {"Service": "cloudfront.amazonaws.com"}, "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::media/*",
            "Condition": {"StringEquals": {"AWS:SourceArn": "arn:aws:cloudfront::000000000000:distribution/E1",
                                           "aws:SourceAccount": ACCOUNT}}}]);
        let from = |d: &str| Who::Service {
            name: "cloudfront.amazonaws.com".into(),
            source_arn: Some(format!("arn:aws:cloudfront::000000000000:distribution/{d}")),
        };
        for (who, expected) in [
            (from("E1"), Outcome::Allowed),
            (from("E2"), Outcome::NotAllowed),
            (Who::Anonymous, Outcome::NotAllowed),
            (role(), Outcome::NotAllowed),
        ] {
            let found = ask(who.clone(), "s3:GetObject", "arn:aws:s3:::media/a", Value::Null, cdn.clone());
            assert_eq!(found, expected, "{who:?}");
        }
    }

    #[test]
    fn user_of_another_account_needs_a_policy_that_names_it() {
        let id = "ab".repeat(48);
        let arn = "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1";
        let identity =
            |canonical_id: &str| Who::Foreign { arn: arn.into(), canonical_id: canonical_id.into() };
        let allow = |principal: Value| json!([{"Effect": "Allow", "Principal": principal, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::media/*"}]);
        let own = format!("{ACCOUNT:0>64}");
        for (who, principal, expected) in [
            (identity(&id), json!({"CanonicalUser": id}), Outcome::Allowed),
            (identity(&id), json!({"AWS": arn}), Outcome::Allowed),
            (identity(&"cd".repeat(48)), json!({"CanonicalUser": id}), Outcome::NotAllowed),
            (identity(&id), json!({"AWS": ACCOUNT}), Outcome::NotAllowed),
            (identity(&id), json!({"CanonicalUser": own}), Outcome::NotAllowed),
            (Who::Anonymous, json!({"CanonicalUser": id}), Outcome::NotAllowed),
            (Who::Account, json!({"CanonicalUser": own}), Outcome::Allowed),
        ] {
            let found = ask(
                who.clone(),
                "s3:GetObject",
                "arn:aws:s3:::media/a",
                Value::Null,
                allow(principal.clone()),
            );
            assert_eq!(found, expected, "{who:?} {principal}");
        }
    }

    #[test]
    fn trust_policy_decides_which_principals_may_assume_the_role() {
        let tasks = json!([{"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}]);
        let account = json!([{"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"sts:ExternalId": "x"}}}]);
        let service = |name: &str| Who::Service { name: name.into(), source_arn: None };
        let user = || Who::user(ACCOUNT, "/", "ada", "AIDA1");
        for (who, given, trust, expected) in [
            (service("ecs-tasks.amazonaws.com"), "", &tasks, true),
            (service("ec2.amazonaws.com"), "", &tasks, false),
            (user(), "", &tasks, false),
            (user(), "x", &account, true),
            (user(), "y", &account, false),
            (Who::Account, "x", &account, true),
            (service("ecs-tasks.amazonaws.com"), "x", &account, false),
        ] {
            let context = Context { given: vec![("sts:externalid", given.into())], ..context(who.clone()) };
            let question = Question {
                context: &context,
                action: "sts:AssumeRole",
                resource: "arn:aws:iam::000000000000:role/r",
            };
            assert_eq!(trusts(&question, &document(trust.clone(), Kind::Trust)), expected, "{who:?} {given}");
        }
    }
}
