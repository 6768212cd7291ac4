//! IAM's policy documents: parsing and evaluation.

use escale_base::Timestamp;
use escale_policy::{Context, Document, Kind, Question, Verdict, Who};

pub(crate) fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for kind in [Kind::Identity, Kind::Trust, Kind::Resource] {
        let Ok(document) = Document::parse(text, kind) else { continue };
        for who in [Who::user("000000000000", "/", "ann", "AIDA1"), Who::Anonymous] {
            let context = Context {
                who,
                tags: Vec::new(),
                account: "000000000000".into(),
                region: "eu-west-3".into(),
                now: Timestamp(1_700_000_000_000),
                source_ip: Some([10, 0, 0, 1].into()),
                secure_transport: Some(false),
                given: vec![("sts:externalid", "x".into())],
            };
            let question =
                Question { context: &context, action: "s3:GetObject", resource: "arn:aws:s3:::bucket/key" };
            let verdict = document.evaluate(&question);
            assert_eq!(document.evaluate(&question), verdict, "the same question has the same answer");
            // A policy of an identity has no principals, so it cannot delegate.
            assert!(kind != Kind::Identity || verdict != Verdict::Delegates);
        }
    }
}
