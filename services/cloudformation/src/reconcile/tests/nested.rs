//! Stacks in stacks.

use super::{outside::put_template, *};
use expect_test::expect;

const PARENT: &str = "
Parameters:
  Bucket: { Type: String, Default: nested }
Resources:
  A: { Type: Test::Thing, Properties: { Of: one } }
  Inner:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: !Sub 'https://${Bucket}.s3.amazonaws.com/child'
      Parameters: { Of: !GetAtt A.Of }
      Tags: [{ Key: own, Value: inner }]
  Z: { Type: Test::Thing, Properties: { Of: !GetAtt Inner.Outputs.Id } }
";

const CHILD: &str = "
Parameters:
  Of: { Type: String, Default: none }
Resources:
  C: { Type: Test::Thing, Properties: { Of: !Ref Of } }
  D: { Type: Test::Thing, Properties: { Kind: !Ref Of } }
Outputs:
  Id: { Value: !Sub '${C}-${Of}' }
";

/// A cloud with the child's template.
fn with_child(template: &str) -> TestEnv {
    put_template("child", template);
    TestEnv::new()
}

/// The cloud with the stack `shop` of `PARENT`.
fn created() -> TestEnv {
    let env = with_child(CHILD);
    env.call(
        "CreateStack",
        json!({"StackName": "shop", "TemplateBody": PARENT, "Tags": [{"Key": "team", "Value": "web"}]}),
    )
    .unwrap();
    env.settle();
    assert_eq!(env.status("shop"), "CREATE_COMPLETE", "{:#?}", env.events("shop"));
    env
}

impl TestEnv {
    /// The ARN of the nested stack of this logical id.
    fn child_of(&self, stack: &str, logical: &str) -> String {
        let shown = self.call("DescribeStackResources", json!({"StackName": stack})).unwrap();
        let all = shown["StackResources"].as_array().unwrap();
        let found = all.iter().find(|resource| resource["LogicalResourceId"] == logical).unwrap();
        found["PhysicalResourceId"].as_str().unwrap().to_owned()
    }

    fn inner(&self) -> String {
        self.child_of("shop", "Inner")
    }

    fn shown(&self, named: &str) -> Value {
        self.call("DescribeStacks", json!({"StackName": named})).unwrap()["Stacks"][0].clone()
    }

    /// The things and their properties `Of`.
    fn contents(&self) -> Vec<String> {
        let image = self.store.read();
        image.scan::<Thing>().map(|thing| format!("{}: {}", thing.id, thing.of)).collect()
    }
}

/// The events of the stack's last operation, without random parts.
fn last_events(env: &TestEnv, named: &str) -> String {
    let inner = env.inner();
    let name = inner.split('/').nth(1).unwrap().to_owned();
    let events = env.events(named);
    let start = events.iter().rposition(|event| event.ends_with("User Initiated")).unwrap();
    events[start..].join("\n").replace(&inner, "INNER").replace(&name, "inner")
}

#[test]
fn a_nested_stack_is_created_before_what_uses_its_outputs_and_deleted_with_its_parent() {
    let env = created();
    expect![[r#"
        shop CREATE_IN_PROGRESS User Initiated
        A CREATE_IN_PROGRESS
        A CREATE_IN_PROGRESS Resource creation Initiated
        A CREATE_COMPLETE
        Inner CREATE_IN_PROGRESS
        Inner CREATE_IN_PROGRESS Resource creation Initiated
        Inner CREATE_COMPLETE
        Z CREATE_IN_PROGRESS
        Z CREATE_IN_PROGRESS Resource creation Initiated
        Z CREATE_COMPLETE
        shop CREATE_COMPLETE"#]]
    .assert_eq(&last_events(&env, "shop"));
    assert_eq!(env.contents(), ["thing-A: one", "thing-C: one", "thing-D-one: ", "thing-Z: thing-C-one"]);
    let (inner, parent) = (env.shown(&env.inner()), env.shown("shop"));
    let name = inner["StackName"].as_str().unwrap();
    assert!(name.starts_with("shop-Inner-") && name.len() == "shop-Inner-".len() + 12, "{name}");
    assert_eq!((&inner["ParentId"], &inner["RootId"]), (&parent["StackId"], &parent["StackId"]));
    assert_eq!(inner["Tags"], json!([{"Key": "team", "Value": "web"}, {"Key": "own", "Value": "inner"}]));
    assert_eq!(parent["RootId"], Value::Null);

    let arn = env.inner();
    env.call("DeleteStack", json!({"StackName": "shop"})).unwrap();
    env.settle();
    assert!(env.things().is_empty());
    assert_eq!(env.shown(&arn)["StackStatus"], "DELETE_COMPLETE");
}

#[test]
fn an_update_changes_the_nested_stack_in_place() {
    let env = created();
    env.update("shop", &PARENT.replace("Of: one", "Of: two")).unwrap();
    env.settle();
    expect![[r#"
        shop UPDATE_IN_PROGRESS User Initiated
        A UPDATE_IN_PROGRESS
        A UPDATE_COMPLETE
        Inner UPDATE_IN_PROGRESS
        Inner UPDATE_COMPLETE
        Z UPDATE_IN_PROGRESS
        Z UPDATE_COMPLETE
        shop UPDATE_COMPLETE_CLEANUP_IN_PROGRESS
        shop UPDATE_COMPLETE"#]]
    .assert_eq(&last_events(&env, "shop"));
    assert_eq!(env.contents(), ["thing-A: two", "thing-C: two", "thing-D-two: ", "thing-Z: thing-C-two"]);
    assert_eq!(env.shown(&env.inner())["StackStatus"], "UPDATE_COMPLETE");
}

#[test]
fn an_overwritten_template_is_an_update_of_its_stack() {
    let env = created();
    let same = env.update("shop", PARENT).unwrap_err();
    assert_eq!(same.message, "No updates are to be performed.");
    put_template("child", &CHILD.replace("${C}-${Of}", "${C}+${Of}"));
    let set = json!({"StackName": "shop", "ChangeSetName": "s", "TemplateBody": PARENT});
    env.call("CreateChangeSet", set).unwrap();
    let set = env.call("DescribeChangeSet", json!({"StackName": "shop", "ChangeSetName": "s"})).unwrap();
    let change = &set["Changes"][0]["ResourceChange"];
    assert_eq!(change["Details"][0]["ChangeSource"], "Automatic");
    assert!(!set.to_string().contains("TemplateDigest"));
    env.update("shop", PARENT).unwrap();
    env.settle();
    assert_eq!(env.thing("thing-Z").of, "thing-C+one");
    assert_eq!(env.thing("thing-C").updates, 0);
}

#[test]
fn a_failed_parent_returns_the_nested_stack_to_its_old_content() {
    let env = created();
    let before = env.contents();
    let failing = "  Last: { Type: Test::Thing, DependsOn: Z, Properties: { Fail: why } }\n";
    env.update("shop", &(PARENT.replace("Of: one", "Of: two") + failing)).unwrap();
    env.settle();
    assert_eq!(env.status("shop"), "UPDATE_ROLLBACK_COMPLETE", "{}", last_events(&env, "shop"));
    // The old thing D was kept until the parent was decided, so nothing was created again.
    assert_eq!(env.contents(), before);
    expect![[r#"
        inner UPDATE_IN_PROGRESS User Initiated
        C UPDATE_IN_PROGRESS
        C UPDATE_COMPLETE
        D UPDATE_IN_PROGRESS Requested update requires the creation of a new physical resource; hence creating one.
        D UPDATE_IN_PROGRESS Resource creation Initiated
        D UPDATE_COMPLETE
        inner UPDATE_COMPLETE_CLEANUP_IN_PROGRESS
        inner UPDATE_ROLLBACK_IN_PROGRESS Rollback of the parent stack.
        C UPDATE_IN_PROGRESS
        C UPDATE_COMPLETE
        inner UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS
        D DELETE_IN_PROGRESS
        D DELETE_COMPLETE
        inner UPDATE_ROLLBACK_COMPLETE"#]]
    .assert_eq(&last_events(&env, &env.inner()));
    // The stacks can be updated again, also with the same content of the nested one.
    env.clock.advance_ms(1_000);
    env.update("shop", &PARENT.replace("Outputs.Id }", "Outputs.Id, Slow: true }")).unwrap();
    env.settle();
    assert_eq!(env.status("shop"), "UPDATE_COMPLETE");
}

#[test]
fn a_failed_update_of_the_nested_stack_fails_its_parent() {
    let env = created();
    let before = env.contents();
    put_template(
        "child",
        &(CHILD.replace("Outputs:", "  E: { Type: Test::Thing, Properties: { Fail: why } }\nOutputs:")),
    );
    env.update("shop", &PARENT.replace("Of: one", "Of: two")).unwrap();
    env.settle();
    expect![[r#"
        shop UPDATE_IN_PROGRESS User Initiated
        A UPDATE_IN_PROGRESS
        A UPDATE_COMPLETE
        Inner UPDATE_IN_PROGRESS
        Inner UPDATE_FAILED Embedded stack INNER was not successfully updated. Currently in UPDATE_ROLLBACK_IN_PROGRESS with reason: The following resource(s) failed to create: [E]. The following resource(s) failed to update: [D].
        shop UPDATE_ROLLBACK_IN_PROGRESS The following resource(s) failed to update: [Inner].
        A UPDATE_IN_PROGRESS
        A UPDATE_COMPLETE
        Inner UPDATE_IN_PROGRESS
        Inner UPDATE_COMPLETE
        shop UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS
        shop UPDATE_ROLLBACK_COMPLETE"#]]
    .assert_eq(&last_events(&env, "shop"));
    assert_eq!(env.contents(), before);
    assert_eq!(env.shown(&env.inner())["StackStatus"], "UPDATE_ROLLBACK_COMPLETE");
}

#[test]
fn a_failed_creation_of_the_nested_stack_fails_its_parent() {
    let env = with_child(
        &CHILD.replace("Outputs:", "  E: { Type: Test::Thing, Properties: { Fail: why } }\nOutputs:"),
    );
    env.create("shop", PARENT).unwrap();
    env.settle();
    assert_eq!(env.status("shop"), "ROLLBACK_COMPLETE");
    let events = env.events("shop").join("\n");
    let reason = "was not successfully created: The following resource(s) failed to create: [E].";
    assert!(
        events.contains("Inner CREATE_FAILED Embedded stack arn:aws:") && events.contains(reason),
        "{events}"
    );
    assert!(env.things().is_empty());
    // A fault in the nested template has the same effect.
    put_template("child", "Resources: { C: { Type: Test::Unknown } }");
    env.create("other", PARENT).unwrap();
    env.settle();
    let events = env.events("other").join("\n");
    assert!(events.contains("Inner CREATE_FAILED Parameters: [Of] do not exist in the template"), "{events}");
}

#[test]
fn stacks_continue_after_a_crash_at_any_step() {
    let update = PARENT.replace("Of: one", "Of: two");
    let failing =
        format!("{update}  Last: {{ Type: Test::Thing, DependsOn: Z, Properties: {{ Fail: why }} }}\n");
    for crash_after in 0..24 {
        for (template, fails) in [(&update, false), (&failing, true)] {
            let mut env = with_child(&CHILD.replace("Of: !Ref Of }", "Of: !Ref Of, Slow: true }"));
            env.create("shop", PARENT).unwrap();
            for _ in 0..crash_after {
                if !env.step() {
                    env.complete_slow();
                }
            }
            env.restart();
            env.settle();
            let before = env.contents();
            assert_eq!(env.status("shop"), "CREATE_COMPLETE");
            env.update("shop", template).unwrap();
            for _ in 0..crash_after {
                if !env.step() {
                    env.complete_slow();
                }
            }
            env.restart();
            env.settle();
            if fails {
                assert_eq!(env.status("shop"), "UPDATE_ROLLBACK_COMPLETE", "after {crash_after}");
                assert_eq!(env.contents(), before, "after {crash_after}");
            } else {
                assert_eq!(env.status("shop"), "UPDATE_COMPLETE", "after {crash_after}");
                assert_eq!(env.thing("thing-Z").of, "thing-C-two");
            }
            env.call("DeleteStack", json!({"StackName": "shop"})).unwrap();
            for _ in 0..crash_after {
                env.step();
            }
            env.restart();
            env.settle();
            assert_eq!(env.things(), Vec::<String>::new());
        }
    }
}

#[test]
fn templates_at_all_depths_are_fetched_first() {
    put_template("leaf", "Resources: { L: { Type: Test::Thing } }\nOutputs: { Id: { Value: !Ref L } }");
    let middle = "
Parameters: { Key: { Type: String }, Late: { Type: String } }
Resources:
  Inner:
    Type: AWS::CloudFormation::Stack
    Properties: { TemplateURL: !Sub 'https://nested.s3.amazonaws.com/${Key}' }
Outputs: { Id: { Value: !GetAtt Inner.Outputs.Id } }
";
    let root = "
Resources:
  A: { Type: Test::Thing }
  Inner:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: https://nested.s3.amazonaws.com/middle
      Parameters: { Key: leaf, Late: !Ref A }
Outputs: { Id: { Value: !GetAtt Inner.Outputs.Id } }
";
    put_template("middle", middle);
    let env = TestEnv::new();
    env.create("shop", root).unwrap();
    env.settle();
    let shown = env.shown("shop");
    assert_eq!(shown["Outputs"][0]["OutputValue"], "thing-L");
    let leaf = env.shown(&env.child_of(&env.inner(), "Inner"));
    assert_eq!(leaf["RootId"], shown["StackId"]);
    assert_eq!(leaf["ParentId"], env.inner());

    put_template("middle", &middle.replace("${Key}", "${Late}"));
    let late = env.error(root);
    assert!(late.contains("The TemplateURL of the nested stack Inner/Inner"), "{late}");
    assert!(
        env.error(&root.replace("middle", "missing")).contains("S3 error: The specified key does not exist.")
    );
    let without_end = "
Resources:
  Inner: { Type: AWS::CloudFormation::Stack, Properties: { TemplateURL: https://nested.s3.amazonaws.com/leaf } }
";
    put_template("leaf", without_end);
    assert!(env.error(without_end).contains("Stacks may be nested at most 8 deep"));
    let topics = root.replace("      Parameters:", "      NotificationARNs: [x]\n      Parameters:");
    assert!(env.error(&topics).contains("Escale does not support property NotificationARNs"));
}

#[test]
fn nested_stacks_are_protected_by_their_root_and_can_be_deleted_directly() {
    let env = created();
    let protect = |name: &str, on: bool| {
        env.call("UpdateTerminationProtection", json!({"StackName": name, "EnableTerminationProtection": on}))
    };
    assert!(protect(&env.inner(), true).unwrap_err().message.contains("is that of its root"));
    protect("shop", true).unwrap();
    assert_eq!(env.shown(&env.inner())["EnableTerminationProtection"], true);
    let delete = |name: &str| env.call("DeleteStack", json!({"StackName": name}));
    assert!(delete(&env.inner()).unwrap_err().message.contains("TerminationProtection is enabled"));
    protect("shop", false).unwrap();
    delete(&env.inner()).unwrap();
    env.settle();
    assert_eq!(env.things(), ["thing-A", "thing-Z"]);
    // Its parent cannot change it any more, but can be deleted.
    env.update("shop", &PARENT.replace("Of: one", "Of: two")).unwrap();
    env.settle();
    assert_eq!(env.status("shop"), "UPDATE_ROLLBACK_COMPLETE");
    delete("shop").unwrap();
    env.settle();
    assert!(env.things().is_empty());
}

fn change_set(env: &TestEnv, name: &str, template: &str, kind: &str) -> Value {
    let input = json!({"StackName": "shop", "ChangeSetName": name, "ChangeSetType": kind, "TemplateBody": template,
        "IncludeNestedStacks": true});
    env.call("CreateChangeSet", input).unwrap();
    env.call("DescribeChangeSet", json!({"StackName": "shop", "ChangeSetName": name})).unwrap()
}

/// The change set of the nested stack `Inner`, as the parent's names it.
fn below(env: &TestEnv, set: &Value) -> Option<Value> {
    let changes = set["Changes"].as_array().unwrap();
    let inner = changes.iter().find(|c| c["ResourceChange"]["LogicalResourceId"] == "Inner")?;
    let arn = inner["ResourceChange"]["ChangeSetId"].as_str()?;
    Some(env.call("DescribeChangeSet", json!({"ChangeSetName": arn})).unwrap())
}

/// All values are known before the stack exists.
fn known(of: &str) -> String {
    PARENT.replace("!GetAtt A.Of", of)
}

#[test]
fn a_change_set_includes_those_of_nested_stacks() {
    let env = with_child(CHILD);
    let set = change_set(&env, "s", &known("one"), "CREATE");
    let inner = below(&env, &set).unwrap();
    let review = env.shown(inner["StackId"].as_str().unwrap());
    assert_eq!(review["StackStatus"], "REVIEW_IN_PROGRESS");
    assert_eq!(
        (&inner["ParentChangeSetId"], &inner["RootChangeSetId"]),
        (&set["ChangeSetId"], &set["ChangeSetId"])
    );
    assert!(inner["ChangeSetName"].as_str().unwrap().starts_with("s-Inner-"));
    let by_itself = env.call("ExecuteChangeSet", json!({"ChangeSetName": inner["ChangeSetId"]})).unwrap_err();
    assert!(by_itself.message.contains("belongs to a nested stack"));
    env.call("ExecuteChangeSet", json!({"StackName": "shop", "ChangeSetName": "s"})).unwrap();
    env.settle();
    assert_eq!(env.status("shop"), "CREATE_COMPLETE");
    // It is the stack that was reviewed.
    assert_eq!(env.inner(), inner["StackId"]);
    assert_eq!(env.shown(&env.inner())["ChangeSetId"], inner["ChangeSetId"]);

    let set = change_set(&env, "t", &known("two"), "UPDATE");
    let inner = below(&env, &set).unwrap();
    let changed: Vec<&Value> = inner["Changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| &c["ResourceChange"]["LogicalResourceId"])
        .collect();
    assert_eq!(changed, ["C", "D"]);
    env.call("ExecuteChangeSet", json!({"StackName": "shop", "ChangeSetName": "t"})).unwrap();
    env.settle();
    assert_eq!(env.thing("thing-C").of, "two");
    let executed = env.call("DescribeChangeSet", json!({"ChangeSetName": inner["ChangeSetId"]})).unwrap();
    assert_eq!(executed["ExecutionStatus"], "EXECUTE_COMPLETE");
    // Of a stack whose parameters are not known yet there is none.
    assert_eq!(below(&env, &change_set(&env, "u", &PARENT.replace("Of: one", "Of: three"), "UPDATE")), None);
}

#[test]
fn change_sets_of_nested_stacks_are_deleted_with_their_root() {
    let env = with_child(CHILD);
    let inner = below(&env, &change_set(&env, "s", &known("one"), "CREATE")).unwrap();
    let delete = |set: &Value| env.call("DeleteChangeSet", json!({"ChangeSetName": set}));
    assert!(delete(&inner["ChangeSetId"]).unwrap_err().message.contains("belongs to a nested stack"));
    env.call("DeleteChangeSet", json!({"StackName": "shop", "ChangeSetName": "s"})).unwrap();
    assert!(env.call("DescribeStacks", json!({"StackName": inner["StackId"]})).is_err());
    change_set(&env, "s", &known("one"), "CREATE");
    env.call("DeleteStack", json!({"StackName": "shop"})).unwrap();
    env.settle();
    assert_eq!(env.call("DescribeStacks", json!({})).unwrap()["Stacks"], json!([]));
}

#[test]
fn a_rollback_that_fails_in_the_nested_stack_continues_with_its_parent() {
    let env = created();
    let before = env.contents();
    let failing = "  Last: { Type: Test::Thing, DependsOn: Z, Properties: { Fail: why } }\n";
    env.update("shop", &(PARENT.replace("Of: one", "Of: two") + failing)).unwrap();
    while env.thing("thing-Z").of != "thing-C-two" {
        assert!(env.step());
    }
    let lost = env.thing("thing-C");
    env.write(|tx| tx.delete::<Thing>("thing-C"));
    env.settle();
    assert_eq!(env.status("shop"), "UPDATE_ROLLBACK_FAILED");
    assert_eq!(env.shown(&env.inner())["StackStatus"], "UPDATE_ROLLBACK_FAILED");
    let events = env.events("shop").join("\n");
    assert!(events.contains("Currently in UPDATE_ROLLBACK_FAILED with reason:"), "{events}");
    env.write(|tx| tx.put((*lost).clone()));
    env.call("ContinueUpdateRollback", json!({"StackName": "shop"})).unwrap();
    env.settle();
    assert_eq!(env.status("shop"), "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(env.contents(), before);
}

#[test]
fn a_cancelled_update_cancels_that_of_the_nested_stack() {
    let env = with_child(&CHILD.replace("Of: !Ref Of }", "Of: !Ref Of, Slow: true }"));
    env.create("shop", PARENT).unwrap();
    env.settle();
    let before = env.contents();
    env.update("shop", &PARENT.replace("Of: one", "Of: two")).unwrap();
    // The nested stack waits for its slow thing.
    env.run();
    assert_eq!(env.shown(&env.inner())["StackStatus"], "UPDATE_IN_PROGRESS");
    env.call("CancelUpdateStack", json!({"StackName": "shop"})).unwrap();
    env.settle();
    assert_eq!(env.status("shop"), "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(env.shown(&env.inner())["StackStatus"], "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(env.contents(), before);
}

#[test]
fn a_failed_deletion_of_the_nested_stack_fails_that_of_its_parent() {
    let env = with_child(&CHILD.replace("Of: !Ref Of }", "Of: !Ref Of, Held: AccessDenied }"));
    env.create("shop", PARENT).unwrap();
    env.settle();
    env.call("DeleteStack", json!({"StackName": "shop"})).unwrap();
    env.settle();
    assert_eq!(env.status("shop"), "DELETE_FAILED");
    let events = env.events("shop").join("\n");
    assert!(events.contains("Inner DELETE_FAILED Embedded stack arn:aws:"), "{events}");
    env.write(|tx| tx.update::<Thing, _>("thing-C", |thing| thing.held = None));
    env.call("DeleteStack", json!({"StackName": "shop"})).unwrap();
    env.settle();
    assert!(env.things().is_empty());
}

#[test]
fn a_retained_nested_stack_stays_with_its_resources() {
    let env = with_child(CHILD);
    let retained = PARENT.replace(
        "    Type: AWS::CloudFormation::Stack",
        "    Type: AWS::CloudFormation::Stack\n    DeletionPolicy: Retain",
    );
    env.create("shop", &retained).unwrap();
    env.settle();
    let inner = env.inner();
    env.call("DeleteStack", json!({"StackName": "shop"})).unwrap();
    env.settle();
    assert_eq!(env.shown(&inner)["StackStatus"], "CREATE_COMPLETE");
    assert_eq!(env.things(), ["thing-C", "thing-D-one"]);
    env.call("DeleteStack", json!({"StackName": inner})).unwrap();
    env.settle();
    assert!(env.things().is_empty());
}
