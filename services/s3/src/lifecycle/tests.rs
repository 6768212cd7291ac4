use super::*;
use escale_base::{AwsError, Wire, wire::Value};
use escale_objects::{UploadId, VersionId};
use serde_json::json;

const NOW: Timestamp = Timestamp(100 * DAY_MS);

fn rules(rules: Value) -> Vec<LifecycleRule> {
    rules.as_array().unwrap().iter().map(|rule| LifecycleRule::read(rule).unwrap()).collect()
}

fn rule(member: &str, action: Value) -> Value {
    json!([{"Status": "Enabled", "Filter": {"Prefix": "logs/"}, member: action}])
}

/// An object of 10 bytes that was put so many days ago, in the morning.
fn entry(key: &str, days: i64, is_delete_marker: bool) -> Entry {
    Entry {
        key: key.into(),
        version: VersionId::null(),
        is_latest: true,
        is_delete_marker,
        size_bytes: 10,
        etag: String::new(),
        modified: NOW.plus_ms(8 * 3_600_000 - days * DAY_MS),
        checksums: Default::default(),
    }
}

fn current(entry: &Entry) -> Version<'_> {
    Version { entry, tags: None, replaced: None, newer: 0, alone: true }
}

#[test]
fn objects_expire_at_midnight_after_their_days() {
    let check = |key: &str, days: i64, expiration: Value, expected: Option<Removal>| {
        let found = removal(&rules(rule("Expiration", expiration)), current(&entry(key, days, false)), NOW);
        assert_eq!(found, expected, "{key} {days}");
    };
    // Put at 8:00 on day 96; three days end at 8:00 on day 99, which is rounded up to midnight.
    check("logs/a", 4, json!({"Days": 3}), Some(Removal::Current));
    check("logs/a", 3, json!({"Days": 3}), None);
    check("other", 40, json!({"Days": 3}), None);
    check("logs/a", 1, json!({"Date": NOW.write()}), Some(Removal::Current));
    check("logs/a", 1, json!({"Date": NOW.plus_ms(1).write()}), None);
    check("logs/a", 40, json!({"ExpiredObjectDeleteMarker": true}), None);
}

#[test]
fn disabled_rules_have_no_effect() {
    let mut list = rules(rule("Expiration", json!({"Days": 1})));
    list[0].status = LifecycleStatus::Disabled;
    assert_eq!(removal(&list, current(&entry("logs/a", 9, false)), NOW), None);
}

#[test]
fn delete_marker_expires_when_it_hides_no_version() {
    for expiration in [json!({"Days": 3}), json!({"ExpiredObjectDeleteMarker": true})] {
        let (rules, marker) = (rules(rule("Expiration", expiration)), entry("logs/a", 9, true));
        assert_eq!(removal(&rules, current(&marker), NOW), Some(Removal::Version));
        assert_eq!(removal(&rules, Version { alone: false, ..current(&marker) }, NOW), None);
    }
}

#[test]
fn noncurrent_versions_expire_by_age_and_number() {
    let action = json!({"NoncurrentDays": 3, "NewerNoncurrentVersions": 2});
    let (rules, old) = (rules(rule("NoncurrentVersionExpiration", action)), entry("logs/a", 50, false));
    let check = |days: i64, newer: usize, expected: Option<Removal>| {
        let replaced = Some(NOW.plus_ms(8 * 3_600_000 - days * DAY_MS));
        let version = Version { replaced, newer, alone: false, ..current(&old) };
        assert_eq!(removal(&rules, version, NOW), expected, "{days} {newer}");
    };
    check(4, 2, Some(Removal::Version));
    check(4, 1, None);
    check(3, 2, None);
    assert_eq!(removal(&rules, current(&old), NOW), None);
}

#[test]
fn conditions_of_a_filter_must_all_hold() {
    let filter = json!({"And": {
        "Prefix": "logs/", "Tags": [{"Key": "k", "Value": "v"}], "ObjectSizeGreaterThan": 9, "ObjectSizeLessThan": 11,
    }});
    let with =
        |filter: &Value| rules(json!([{"Status": "Enabled", "Filter": filter, "Expiration": {"Days": 1}}]));
    let list = with(&filter);
    assert!(needs_tags(&list) && !needs_tags(&with(&json!({}))));
    let object = entry("logs/a", 9, false);
    let tagged = |value: &str| Labels::from([("k".to_owned(), value.to_owned())]);
    let check = |list: &[LifecycleRule], object: &Entry, tags: Option<&Labels>, expires: bool| {
        assert_eq!(
            removal(list, Version { tags, ..current(object) }, NOW).is_some(),
            expires,
            "{object:?} {tags:?}"
        );
    };
    check(&list, &object, Some(&tagged("v")), true);
    check(&list, &object, None, true);
    check(&list, &object, Some(&tagged("w")), false);
    check(&list, &object, Some(&Labels::new()), false);
    check(&list, &entry("logs/a", 9, true), None, false);
    for size_bytes in [9, 11] {
        check(&list, &Entry { size_bytes, ..object.clone() }, Some(&tagged("v")), false);
    }
    check(&with(&json!({})), &object, None, true);
    check(&with(&json!({"ObjectSizeLessThan": 10})), &object, None, false);
}

#[test]
fn aborts_old_uploads() {
    let rules = rules(rule("AbortIncompleteMultipartUpload", json!({"DaysAfterInitiation": 7})));
    let check = |key: &str, days: i64, expected: bool| {
        let started = NOW.plus_ms(8 * 3_600_000 - days * DAY_MS);
        let upload = Upload { key: key.into(), id: UploadId("1".into()), started, checksum: None };
        assert_eq!(aborts(&rules, &upload, NOW), expected, "{key} {days}");
    };
    check("logs/a", 8, true);
    check("logs/a", 7, false);
    check("other", 8, false);
}

#[test]
fn refuses_invalid_configurations() {
    let expiration = |expiration: Value| rule("Expiration", expiration);
    let with = |member: &str, value: Value| {
        let mut list = expiration(json!({"Days": 1}));
        list[0][member] = value;
        list
    };
    let same = json!([with("ID", json!("a"))[0], with("ID", json!("a"))[0]]);
    let tag = json!({"Tag": {"Key": "k", "Value": "v"}});
    let mut marker = expiration(json!({"ExpiredObjectDeleteMarker": true}));
    marker[0]["Filter"] = tag.clone();
    let mut abort = rule("AbortIncompleteMultipartUpload", json!({"DaysAfterInitiation": 1}));
    abort[0]["Filter"] = tag;
    for (list, code) in [
        (json!([]), "MalformedXML"),
        (json!([{"Status": "Enabled", "Expiration": {"Days": 1}}]), "MalformedXML"),
        (with("Prefix", json!("a")), "MalformedXML"),
        (with("Filter", json!({"Prefix": "a", "ObjectSizeLessThan": 1})), "MalformedXML"),
        (json!([{"Status": "Enabled", "Prefix": ""}]), "InvalidRequest"),
        (expiration(json!({"Days": 0})), "InvalidArgument"),
        (expiration(json!({"Days": 1, "ExpiredObjectDeleteMarker": true})), "MalformedXML"),
        (expiration(json!({"Date": Timestamp(1).write()})), "InvalidArgument"),
        (expiration(json!({})), "MalformedXML"),
        (rule("NoncurrentVersionExpiration", json!({"NewerNoncurrentVersions": 1})), "MalformedXML"),
        (
            rule("NoncurrentVersionExpiration", json!({"NoncurrentDays": 1, "NewerNoncurrentVersions": 101})),
            "MalformedXML",
        ),
        (same, "InvalidArgument"),
        (marker, "InvalidRequest"),
        (abort, "InvalidRequest"),
        (with("ID", json!("a".repeat(256))), "InvalidArgument"),
    ] {
        let error = check(&rules(list.clone())).map_err(|error| AwsError::from(error).code);
        assert_eq!(error, Err(code.into()), "{list}");
    }
    assert!(check(&rules(with("ID", json!("a")))).is_ok());
}

#[test]
fn header_names_the_rule_that_expires_the_object_first() {
    let list = rules(json!([
        {"ID": "slow", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 30}},
        {"ID": "a b", "Status": "Enabled", "Filter": {"Tag": {"Key": "k", "Value": "v"}}, "Expiration": {"Days": 1}},
        {"ID": "off", "Status": "Disabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}},
    ]));
    let tags = Labels::from([("k".to_owned(), "v".to_owned())]);
    let header = |tags: &Labels| expiration_header(&list, &entry("k", 0, false), tags).unwrap();
    let day = |days: i64| NOW.plus_ms(days * DAY_MS).http_date();
    assert_eq!(header(&tags), format!("expiry-date=\"{}\", rule-id=\"a%20b\"", day(2)));
    assert_eq!(header(&Labels::new()), format!("expiry-date=\"{}\", rule-id=\"slow\"", day(31)));
    assert_eq!(expiration_header(&[], &entry("k", 0, false), &tags), None);
}
