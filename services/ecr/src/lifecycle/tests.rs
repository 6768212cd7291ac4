use super::*;
use serde_json::json;

const NOW: Timestamp = Timestamp(100 * DAY_MS);

fn digest(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

/// An image that was pushed so many days ago.
fn image(name: &str, days: i64, tags: &[&str]) -> Candidate {
    Candidate {
        digest: digest(name),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        pushed: NOW.plus_ms(-days * DAY_MS - 1),
        subject: None,
        parts: Vec::new(),
    }
}

fn rule(priority: u32, selection: Value) -> Value {
    json!({"rulePriority": priority, "selection": selection, "action": {"type": "expire"}})
}

fn count(status: &str, prefixes: &[&str], number: u32) -> Value {
    let mut selection =
        json!({"tagStatus": status, "countType": "imageCountMoreThan", "countNumber": number});
    if !prefixes.is_empty() {
        selection["tagPrefixList"] = json!(prefixes);
    }
    selection
}

fn age(status: &str, days: u32) -> Value {
    json!({"tagStatus": status, "countType": "sinceImagePushed", "countUnit": "days", "countNumber": days})
}

fn patterns(patterns: &[&str]) -> Value {
    json!({"tagStatus": "tagged", "tagPatternList": patterns, "countType": "imageCountMoreThan", "countNumber": 1})
}

fn policy(rules: &[Value]) -> Result<Policy, Error> {
    Policy::parse(&json!({"rules": rules}).to_string())
}

fn check(rules: &[Value], images: &[Candidate], gone: &[&str]) {
    let found = expired(&policy(rules).unwrap(), images, NOW);
    assert_eq!(found, gone.iter().map(|name| digest(name)).collect(), "{rules:?}: {gone:?}");
}

#[test]
fn expires_images_by_count_and_age() {
    let images = [image("a", 1, &["v1"]), image("b", 2, &[]), image("c", 3, &[]), image("d", 10, &["v0"])];
    check(&[rule(1, age("untagged", 2))], &images, &["b", "c"]);
    check(&[rule(1, age("untagged", 3))], &images, &["c"]);
    check(&[rule(1, count("any", &[], 2))], &images, &["c", "d"]);
    check(&[rule(1, count("tagged", &["v"], 1))], &images, &["d"]);
    check(&[rule(1, count("tagged", &["w"], 1))], &images, &[]);
}

/// The examples of <https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_examples.html>.
#[test]
fn applies_rules_by_priority() {
    let images = [
        image("a", 3, &["beta-1", "prod-1"]),
        image("b", 2, &["beta-2", "prod-2"]),
        image("c", 1, &["beta-3"]),
    ];
    let (prod, beta) = (count("tagged", &["prod"], 1), count("tagged", &["beta"], 1));
    check(&[rule(1, prod.clone()), rule(2, beta.clone())], &images, &["a"]);
    check(&[rule(2, prod), rule(1, beta)], &images, &["a", "b"]);
    // All prefixes must match.
    let images =
        [image("a", 3, &["alpha-1", "beta-1"]), image("b", 2, &["alpha-2"]), image("c", 1, &["beta-2"])];
    check(&[rule(1, count("tagged", &["alpha", "beta"], 1))], &images, &[]);
    check(&[rule(1, count("tagged", &["alpha"], 1))], &images, &["a"]);
    // An image that a rule keeps is not expired by a later one.
    let images = [image("a", 30, &["prod-1"]), image("b", 20, &["test"]), image("c", 10, &[])];
    check(&[rule(1, count("tagged", &["prod"], 1)), rule(2, age("any", 5))], &images, &["b", "c"]);
}

#[test]
fn image_of_an_index_stays_and_signature_expires_with_its_image() {
    let mut images = [
        image("index", 1, &["v1"]),
        image("part", 9, &[]),
        image("signed", 9, &["v0"]),
        image("signature", 9, &[]),
    ];
    images[0].parts = vec![digest("part")];
    images[3].subject = Some(digest("signed"));
    check(&[rule(1, age("untagged", 2))], &images, &[]);
    check(&[rule(1, count("any", &[], 1))], &images, &["signed", "signature"]);
}

#[test]
fn matches_tags_by_patterns() {
    for (pattern, tag, expected) in [
        ("prod*", "prod-1", true),
        ("prod*", "prod", true),
        ("*web*", "prod-web-1", true),
        ("*web", "web-1", false),
        ("a*b*c", "a-b-c", true),
        ("a*b*c", "a-c", false),
        ("a*bc*c", "abc", false),
        ("prod", "prod-1", false),
    ] {
        assert_eq!(matches_pattern(pattern, tag), expected, "{pattern} {tag}");
    }
    let images = [image("a", 2, &["prod-web"]), image("b", 1, &["prod-web-2"]), image("c", 3, &["prod-db"])];
    check(&[rule(1, patterns(&["prod*web*"]))], &images, &["a"]);
}

#[test]
fn refuses_invalid_and_unsupported_policies() {
    let with = |member: &str, value: Value| {
        let mut selection = count("untagged", &[], 1);
        selection[member] = value;
        rule(1, selection)
    };
    for (rules, message) in [
        (vec![], "from 1 to 50 rules"),
        (vec![rule(1, age("untagged", 1)), rule(1, count("any", &[], 1))], "rulePriority of its own"),
        (vec![rule(1, age("untagged", 1)), rule(2, age("untagged", 2))], "only one rule"),
        (vec![rule(1, age("any", 1)), rule(2, age("untagged", 2))], "highest rulePriority"),
        (vec![rule(1, count("tagged", &["a"], 1)), rule(2, count("tagged", &["a"], 2))], "more than once"),
        (vec![rule(1, count("tagged", &[], 1))], "tagPrefixList or a tagPatternList"),
        (vec![rule(1, count("untagged", &["a"], 1))], "tagPrefixList or a tagPatternList"),
        (vec![with("countNumber", json!(0))], "must be positive"),
        (vec![with("countUnit", json!("days"))], "absent otherwise"),
        (vec![with("countType", json!("sinceImagePushed"))], "countUnit must be days"),
        (
            vec![with("countType", json!("sinceImagePulled"))],
            "The countType sinceImagePulled is not supported",
        ),
        (
            vec![with("storageClass", json!("archive"))],
            "rules[0].selection.storageClass of a lifecycle policy is not",
        ),
        (vec![rule(1, patterns(&["*a*b*c*d*"]))], "more than 4 wildcards"),
    ] {
        let error = AwsError::from(policy(&rules).unwrap_err());
        assert!(error.message.contains(message), "{rules:?}: {error}");
    }
    let transition = json!({"rulePriority": 1, "selection": age("any", 1), "action": {"type": "transition"}});
    let error = AwsError::from(policy(&[transition]).unwrap_err());
    assert!(error.message.contains("The lifecycle action transition is not supported"), "{error}");
}
