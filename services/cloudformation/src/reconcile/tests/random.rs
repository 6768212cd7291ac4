//! Random pairs of templates: what a change set predicts is what an update does, and a crash after any step changes nothing.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// One resource of a random template.
#[derive(Clone, Debug)]
struct Part {
    /// Index of an earlier resource, and whether the reference is to an attribute.
    of: Option<(usize, bool)>,
    text: u8,
    kind: Option<u8>,
    /// Whether the kind is the attribute of the referenced resource, so that a replacement depends on it.
    kind_by_reference: bool,
    slow: bool,
    is_there: bool,
}

fn part() -> impl Strategy<Value = Part> {
    (
        proptest::option::weighted(0.6, (0..5usize, any::<bool>())),
        0..2u8,
        proptest::option::weighted(0.3, 0..2u8),
        proptest::bool::weighted(0.2),
        proptest::bool::weighted(0.2),
        proptest::bool::weighted(0.8),
    )
        .prop_map(|(of, text, kind, kind_by_reference, slow, is_there)| Part {
            of,
            text,
            kind,
            kind_by_reference,
            slow,
            is_there,
        })
}

fn template(parts: &[Part]) -> String {
    let mut text = "Resources:\n  Fixed: { Type: Test::Thing }\n".to_owned();
    let is_there = |at: usize, below: usize| at < below && parts[at].is_there;
    for (at, part) in parts.iter().enumerate().filter(|(_, part)| part.is_there) {
        let source = part.of.filter(|(to, _)| is_there(*to, at));
        let of = match source {
            Some((to, true)) => format!("!GetAtt R{to}.Of"),
            Some((to, false)) => format!("!Ref R{to}"),
            None => format!("text{}", part.text),
        };
        let mut properties = format!("Of: {of}");
        match (source, part.kind) {
            (Some((to, true)), _) if part.kind_by_reference => {
                properties += &format!(", Kind: !GetAtt R{to}.Of")
            }
            (_, Some(kind)) => properties += &format!(", Kind: k{kind}"),
            _ => {}
        }
        if part.slow {
            properties += ", Slow: true";
        }
        text += &format!("  R{at}: {{ Type: Test::Thing, Properties: {{ {properties} }} }}\n");
    }
    text
}

/// Physical ids and numbers of updates by logical id.
fn seen(env: &TestEnv) -> BTreeMap<String, (String, u32)> {
    let rows = env.store.read();
    let one = |row: Arc<StackResource>| {
        let id = row.physical_id.clone().unwrap().to_string();
        let updates = rows.get::<Thing>(&id).unwrap().updates;
        (row.logical_id.to_string(), (id, updates))
    };
    rows.scan::<StackResource>().map(one).collect()
}

fn predictions(env: &TestEnv) -> BTreeMap<String, (String, String)> {
    let shown = env.call("DescribeChangeSet", json!({"StackName": "shop", "ChangeSetName": "next"})).unwrap();
    let one = |change: &Value| {
        let change = &change["ResourceChange"];
        let text = |name: &str| change[name].as_str().unwrap_or("").to_owned();
        (text("LogicalResourceId"), (text("Action"), text("Replacement")))
    };
    shown["Changes"].as_array().unwrap().iter().map(one).collect()
}

fn check(old: &[Part], new: &[Part]) {
    let env = TestEnv::new();
    env.create("shop", &template(old)).unwrap();
    env.settle();
    let before = seen(&env);
    let input = json!({"StackName": "shop", "ChangeSetName": "next", "TemplateBody": template(new)});
    env.call("CreateChangeSet", input).unwrap();
    let predicted = predictions(&env);
    let named = json!({"StackName": "shop", "ChangeSetName": "next"});
    if env.call("DescribeChangeSet", named.clone()).unwrap()["Status"] == "FAILED" {
        return;
    }
    env.call("ExecuteChangeSet", named).unwrap();
    env.settle();
    assert_eq!(env.status("shop"), "UPDATE_COMPLETE");
    let after = seen(&env);
    for logical in before.keys().chain(after.keys()) {
        let (old, new) = (before.get(logical), after.get(logical));
        let what =
            predicted.get(logical).map(|(action, replacement)| (action.as_str(), replacement.as_str()));
        let fits = match (what, old, new) {
            (None, Some(old), Some(new)) => old == new,
            (Some(("Add", _)), None, Some(_)) | (Some(("Remove", _)), Some(_), None) => true,
            (Some(("Modify", "True")), Some(old), Some(new)) => old.0 != new.0,
            (Some(("Modify", "False")), Some(old), Some(new)) => old.0 == new.0,
            (Some(("Modify", "Conditional")), Some(_), Some(_)) => true,
            _ => false,
        };
        assert!(fits, "{logical}: {what:?} was predicted, {old:?} became {new:?}");
    }
    // Each thing is what its stack says, and there is no other.
    let ids: std::collections::BTreeSet<String> = after.values().map(|(id, _)| id.clone()).collect();
    assert_eq!(env.things().into_iter().collect::<std::collections::BTreeSet<_>>(), ids);
    same_as_new(&env, new);
}

/// An updated stack has the resources that a new stack of the same template has.
fn same_as_new(env: &TestEnv, parts: &[Part]) {
    let fresh = TestEnv::new();
    fresh.create("shop", &template(parts)).unwrap();
    fresh.settle();
    let things = |env: &TestEnv| {
        let image = env.store.read();
        image.scan::<Thing>().map(|t| (t.id.clone(), t.of.clone())).collect::<Vec<_>>()
    };
    assert_eq!(things(env), things(&fresh));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn predictions_come_true(old in prop::collection::vec(part(), 5), new in prop::collection::vec(part(), 5)) {
        check(&old, &new);
    }

    #[test]
    fn a_crash_after_any_step_changes_nothing(
        old in prop::collection::vec(part(), 5),
        new in prop::collection::vec(part(), 5),
        crash_after in 0..25usize,
        fails in any::<bool>(),
    ) {
        let mut env = TestEnv::new();
        env.create("shop", &template(&old)).unwrap();
        env.settle();
        let failing = if fails { "  Z: { Type: Test::Thing, DependsOn: Fixed, Properties: { Fail: why } }\n" } else { "" };
        let template = template(&new) + "  New: { Type: Test::Thing }\n" + failing;
        env.update("shop", &template).unwrap();
        for _ in 0..crash_after {
            if !env.step() {
                env.complete_slow();
            }
        }
        env.restart();
        env.settle();
        if fails {
            prop_assert_eq!(env.status("shop"), "UPDATE_ROLLBACK_COMPLETE");
            same_as_new(&env, &old);
        } else {
            prop_assert_eq!(env.status("shop"), "UPDATE_COMPLETE");
        }
        env.call("DeleteStack", json!({"StackName": "shop"})).unwrap();
        env.settle();
        prop_assert_eq!(env.things(), Vec::<String>::new());
    }
}
