//! Stacks from creation to deletion.

use super::*;
use expect_test::expect;

const CHAIN: &str = "
Resources:
  A: { Type: Test::Thing, Properties: { Slow: true } }
  B: { Type: Test::Thing, Properties: { Of: !Ref A } }
  C: { Type: Test::Thing, Properties: { Of: !GetAtt A.Late } }
  D: { Type: Test::Thing, DependsOn: [B, C], Properties: { Of: !Sub '${B.Name}-${AWS::StackName}' } }
  E: { Type: Test::Thing, Properties: { Slow: 'true' } }
Outputs:
  Name: { Value: !GetAtt D.Name, Export: { Name: !Sub '${AWS::StackName}-name' } }
";

#[test]
fn creates_and_deletes_a_stack() {
    let env = TestEnv::new();
    let made = env.create("shop", CHAIN).unwrap();
    env.run();
    // A and E do not depend on each other.
    assert_eq!(env.things(), ["thing-A", "thing-E"]);
    assert_eq!(env.status("shop"), "CREATE_IN_PROGRESS");
    let waiting = env.call("DescribeStackResources", json!({"StackName": "shop"})).unwrap();
    assert_eq!(waiting["StackResources"][0]["ResourceStatusReason"], "warming up");
    env.complete_slow();
    env.run();
    assert_eq!(env.status("shop"), "CREATE_COMPLETE");
    let image = env.store.read();
    let of = |id: &str| image.get::<Thing>(id).unwrap().of.clone();
    assert_eq!(
        ["thing-B", "thing-C", "thing-D"].map(of),
        ["thing-A".to_owned(), "late".into(), "thing-B!-shop".into()]
    );
    let shown = env.call("DescribeStacks", json!({"StackName": "shop"})).unwrap();
    let output = &shown["Stacks"][0]["Outputs"][0];
    assert_eq!((&output["OutputValue"], &output["ExportName"]), (&json!("thing-D!"), &json!("shop-name")));

    env.call("DeleteStack", json!({"StackName": "shop"})).unwrap();
    env.run();
    assert_eq!(env.things(), ["thing-A", "thing-E"], "slow deletions are still in progress");
    env.complete_slow();
    env.run();
    assert_eq!(env.things(), Vec::<String>::new());
    assert_eq!(env.status("shop"), "Stack with id shop does not exist");
    let arn = made["StackId"].as_str().unwrap();
    assert_eq!(env.status(arn), "DELETE_COMPLETE");
    expect![[r#"
        shop CREATE_IN_PROGRESS User Initiated
        A CREATE_IN_PROGRESS
        A CREATE_IN_PROGRESS Resource creation Initiated
        E CREATE_IN_PROGRESS
        E CREATE_IN_PROGRESS Resource creation Initiated
        A CREATE_COMPLETE
        E CREATE_COMPLETE
        B CREATE_IN_PROGRESS
        B CREATE_IN_PROGRESS Resource creation Initiated
        C CREATE_IN_PROGRESS
        C CREATE_IN_PROGRESS Resource creation Initiated
        B CREATE_COMPLETE
        C CREATE_COMPLETE
        D CREATE_IN_PROGRESS
        D CREATE_IN_PROGRESS Resource creation Initiated
        D CREATE_COMPLETE
        shop CREATE_COMPLETE
        shop DELETE_IN_PROGRESS User Initiated
        D DELETE_IN_PROGRESS
        E DELETE_IN_PROGRESS
        D DELETE_COMPLETE
        B DELETE_IN_PROGRESS
        C DELETE_IN_PROGRESS
        B DELETE_COMPLETE
        C DELETE_COMPLETE
        A DELETE_IN_PROGRESS
        A DELETE_COMPLETE
        E DELETE_COMPLETE
        shop DELETE_COMPLETE"#]]
    .assert_eq(&env.events(arn).join("\n"));
}

#[test]
fn rolls_back_after_a_failure() {
    let env = TestEnv::new();
    let template = "
Resources:
  Slow: { Type: Test::Thing, Properties: { Slow: true } }
  First: { Type: Test::Thing, DeletionPolicy: RetainExceptOnCreate }
  Kept: { Type: Test::Thing, DeletionPolicy: Retain }
  Bad: { Type: Test::Thing, DependsOn: [First, Kept], Properties: { Fail: no room } }
  Never: { Type: Test::Thing, DependsOn: Bad }
";
    env.create("shop", template).unwrap();
    env.run();
    env.complete_slow();
    env.run();
    assert_eq!(env.status("shop"), "ROLLBACK_COMPLETE");
    assert_eq!(env.things(), ["thing-Kept"]);
    expect![[r#"
        shop CREATE_IN_PROGRESS User Initiated
        Slow CREATE_IN_PROGRESS
        Slow CREATE_IN_PROGRESS Resource creation Initiated
        First CREATE_IN_PROGRESS
        First CREATE_IN_PROGRESS Resource creation Initiated
        Kept CREATE_IN_PROGRESS
        Kept CREATE_IN_PROGRESS Resource creation Initiated
        First CREATE_COMPLETE
        Kept CREATE_COMPLETE
        Bad CREATE_IN_PROGRESS
        Bad CREATE_FAILED Resource handler returned message: "no room (ThingLimitExceeded)" (HandlerErrorCode: ServiceLimitExceeded)
        Slow CREATE_FAILED Resource creation cancelled
        shop ROLLBACK_IN_PROGRESS The following resource(s) failed to create: [Slow, Bad]. Rollback requested by user.
        Slow DELETE_IN_PROGRESS
        First DELETE_IN_PROGRESS
        Kept DELETE_SKIPPED
        First DELETE_COMPLETE
        Slow DELETE_COMPLETE
        shop ROLLBACK_COMPLETE"#]]
    .assert_eq(&env.events("shop").join("\n"));
    // A rolled-back stack keeps its name until it is deleted.
    assert_eq!(env.create("shop", CHAIN).unwrap_err().code, "AlreadyExistsException");
    env.call("DeleteStack", json!({"StackName": "shop"})).unwrap();
    env.run();
    assert_eq!(env.status("shop"), "Stack with id shop does not exist");
}

#[test]
fn on_failure_delete_and_do_nothing() {
    let template = "
Resources:
  A: { Type: Test::Thing }
  Bad: { Type: Test::Thing, DependsOn: A, Properties: { Fail: no room } }
";
    for (on_failure, status, left) in
        [("DELETE", "Stack with id shop does not exist", 0), ("DO_NOTHING", "CREATE_FAILED", 1)]
    {
        let env = TestEnv::new();
        let input = json!({"StackName": "shop", "TemplateBody": template, "OnFailure": on_failure});
        env.call("CreateStack", input).unwrap();
        env.run();
        assert_eq!((env.status("shop").as_str(), env.things().len()), (status, left));
    }
}

#[test]
fn creation_fails_after_time_limits() {
    let env = TestEnv::new();
    let template = "Resources: { A: { Type: Test::Thing, Properties: { Slow: true } } }";
    let input = json!({"StackName": "one", "TemplateBody": template, "TimeoutInMinutes": 2, "OnFailure": "DO_NOTHING"});
    env.call("CreateStack", input).unwrap();
    env.run();
    let key = env.keys().remove(0);
    assert_eq!(env.next(&key), Plan::wait_until(env.clock.now().plus_ms(120_000), "A: warming up"));
    env.clock.advance_ms(120_000);
    env.run();
    assert_eq!(env.status("one"), "CREATE_FAILED");
    assert_eq!(
        env.events("one").last().unwrap(),
        "one CREATE_FAILED Stack creation time exceeded the specified timeout."
    );

    let env = TestEnv::new();
    env.create("two", template).unwrap();
    env.run();
    env.clock.advance_ms(plan::LIMIT_MS);
    env.run();
    let event = env.events("two").into_iter().find(|e| e.contains("CREATE_FAILED")).unwrap();
    assert!(event.contains("after 15 minutes: warming up\" (HandlerErrorCode: NotStabilized)"), "{event}");
}

#[test]
fn retries_or_fails_a_refused_deletion() {
    let env = TestEnv::new();
    let template = "
Resources:
  Soon: { Type: Test::Thing, Properties: { Held: DependencyViolation } }
  Never: { Type: Test::Thing, Properties: { Held: BucketNotEmpty } }
  Below: { Type: Test::Thing, Properties: { Of: !Ref Never } }
";
    env.create("shop", template).unwrap();
    env.run();
    env.call("DeleteStack", json!({"StackName": "shop"})).unwrap();
    env.run();
    assert_eq!(env.things(), ["thing-Never", "thing-Soon"]);
    assert_eq!(env.status("shop"), "DELETE_IN_PROGRESS", "a dependency may disappear by itself");
    let release = |id: &str| {
        env.write(|tx| tx.update::<Thing, _>(id, |t| t.held = None));
    };
    release("thing-Soon");
    env.run();
    assert_eq!((env.things(), env.status("shop").as_str()), (vec!["thing-Never".into()], "DELETE_FAILED"));
    let last = env.events("shop").pop().unwrap();
    assert_eq!(last, "shop DELETE_FAILED The following resource(s) failed to delete: [Never].");
    env.call("DeleteStack", json!({"StackName": "shop", "RetainResources": ["Never"]})).unwrap();
    env.run();
    assert_eq!(env.status("shop"), "Stack with id shop does not exist");
    assert_eq!(env.things(), ["thing-Never"]);
}

#[test]
fn deletion_takes_snapshots_unless_the_policy_is_delete() {
    let env = TestEnv::new();
    let template = "
Resources:
  Default: { Type: Test::Kept }
  Snapshot: { Type: Test::Kept, DeletionPolicy: Snapshot }
  Dropped: { Type: Test::Kept, DeletionPolicy: Delete }
  Other: { Type: Test::Thing }
";
    env.create("shop", template).unwrap();
    env.run();
    env.call("DeleteStack", json!({"StackName": "shop"})).unwrap();
    env.run();
    assert_eq!(env.things(), ["shop-snapshot-Default", "shop-snapshot-Snapshot"]);
}

#[test]
fn rollback_takes_no_snapshot() {
    let env = TestEnv::new();
    let template = "
Resources:
  A: { Type: Test::Kept }
  B: { Type: Test::Thing, DependsOn: A, Properties: { Fail: broken } }
";
    env.create("shop", template).unwrap();
    env.run();
    assert_eq!((env.status("shop").as_str(), env.things()), ("ROLLBACK_COMPLETE", vec![]));
}

#[test]
fn refused_templates_create_no_stack() {
    let env = TestEnv::new();
    expect!["ValidationError: Template format error: Unrecognized resource types: [AWS::X::Y]. Escale does not support them; `escale coverage` lists the supported types"]
        .assert_eq(&env.error("Resources: { A: { Type: AWS::X::Y } }"));
    expect!["ValidationError: Resources/A/Properties/Colour: Escale does not support property Colour of Test::Thing (line 1, column 60)"]
        .assert_eq(&env.error("Resources: { A: { Type: Test::Thing, Properties: { Colour: red } } }"));
    for (template, message) in [
        (
            "Resources: { A: { Type: Test::Thing, DeletionPolicy: Snapshot } }",
            "does not support deletion policy Snapshot",
        ),
        (
            "Resources: { A: { Type: Test::Thing, Properties: { Of: !Ref B } } }",
            "Unresolved resource dependencies [B]",
        ),
        (
            "Resources: { A: { Type: Test::Thing, Properties: { Of: '{{resolve:x}}' } } }",
            "Incorrect format is used",
        ),
        (
            "Resources: { A: { Type: Test::Thing, Properties: { Of: !ImportValue x } } }",
            "No export named x found.",
        ),
    ] {
        let error = env.error(template);
        assert!(error.starts_with("ValidationError: ") && error.contains(message), "{error}");
    }
    assert_eq!(env.store.read().scan::<Stack>().count(), 0);
}

#[test]
fn accepts_unsupported_parts_that_conditions_exclude() {
    let env = TestEnv::new();
    let template = |secure: &str| {
        format!(
            "
Parameters: {{ Secure: {{ Type: String, Default: '{secure}' }} }}
Conditions: {{ IsSecure: !Equals [!Ref Secure, 'yes'] }}
Resources:
  A: {{ Type: Test::Thing, Properties: {{ Certificates: !If [IsSecure, [x], !Ref 'AWS::NoValue'] }} }}
  B: {{ Type: AWS::KMS::Key, Condition: IsSecure }}
"
        )
    };
    let error = env.error(&template("yes"));
    assert!(error.contains("Unrecognized resource types: [AWS::KMS::Key]"), "{error}");
    let error = env.error(&template("yes").replace("B:", "#"));
    assert!(error.contains("Resources/A/Properties/Certificates"), "{error}");
    env.create("shop", &template("no")).unwrap();
    env.run();
    assert_eq!((env.status("shop").as_str(), env.things()), ("CREATE_COMPLETE", vec!["thing-A".into()]));
}

#[test]
fn unknown_attribute_fails_the_resource_that_reads_it() {
    let env = TestEnv::new();
    env.create("shop", "Resources: { A: { Type: Test::Thing }, B: { Type: Test::Thing, Properties: { Of: !GetAtt A.Nope } } }")
        .unwrap();
    env.run();
    let event = env.events("shop").into_iter().find(|e| e.starts_with("B CREATE_FAILED")).unwrap();
    assert!(event.contains("resource A does not support attribute type Nope in Fn::GetAtt"), "{event}");
}

#[test]
fn exports_are_unique_and_kept_while_imported() {
    let env = TestEnv::new();
    let exporting = "Resources: {A: {Type: Test::Thing}}\nOutputs: {X: {Value: !Ref A, Export: {Name: x}}}";
    let importing = "Resources: {B: {Type: Test::Thing, Properties: {Of: !ImportValue x}}}";
    env.create("one", exporting).unwrap();
    env.run();
    env.create("two", importing).unwrap();
    env.run();
    assert_eq!(env.store.read().get::<Thing>("thing-B").unwrap().of, "thing-A");
    let error = env.call("DeleteStack", json!({"StackName": "one"})).unwrap_err();
    assert_eq!(error.message, "Export x cannot be deleted as it is in use by two");
    assert_eq!(env.call("ListImports", json!({"ExportName": "x"})).unwrap()["Imports"], json!(["two"]));
    let again = exporting.replace("A:", "Other:").replace("Ref A", "Ref Other");
    env.create("three", &again).unwrap();
    env.run();
    assert_eq!(env.status("three"), "ROLLBACK_COMPLETE");
    let event = env.events("three").into_iter().find(|e| e.contains("ROLLBACK_IN_PROGRESS")).unwrap();
    assert!(
        event.contains("Export with name x is already exported by stack one. Rollback requested"),
        "{event}"
    );
    for name in ["two", "one"] {
        env.call("DeleteStack", json!({"StackName": name})).unwrap();
        env.run();
    }
    assert_eq!(env.call("ListExports", json!({})).unwrap()["Exports"], json!([]));
}

#[test]
fn change_set_shows_property_values_but_no_secrets() {
    let env = TestEnv::new();
    let template = "
Parameters: { Word: { Type: String, NoEcho: true, AllowedPattern: '[a-z]+' } }
Conditions: { IsHush: !Equals [!Ref Word, hush] }
Mappings: { Words: { hush: { Size: large } } }
Resources:
  A: { Type: Test::Thing, Properties: { Of: !Ref Word } }
  B: { Type: Test::Thing, Properties: { Of: !Ref A, Name: !Sub 'b-${AWS::StackName}' } }
  C: { Type: Test::Thing, Properties: { Of: !If [IsHush, then, otherwise], Name: !FindInMap [Words, !Ref Word, Size] } }
";
    let input = json!({
        "StackName": "shop", "ChangeSetName": "cs", "ChangeSetType": "CREATE", "TemplateBody": template,
        "Parameters": [{"ParameterKey": "Word", "ParameterValue": "hush"}],
    });
    env.call("CreateChangeSet", input).unwrap();
    let named = json!({"StackName": "shop", "ChangeSetName": "cs"});
    let bare = env.call("DescribeChangeSet", named.clone()).unwrap();
    assert!(bare["Changes"][0]["ResourceChange"]["AfterContext"].is_null());
    let mut input = named;
    input["IncludePropertyValues"] = true.into();
    let shown = env.call("DescribeChangeSet", input).unwrap();
    let after = |i: usize| shown["Changes"][i]["ResourceChange"]["AfterContext"].as_str().unwrap().to_owned();
    assert_eq!(after(0), r#"{"Properties":{"Of":"****"}}"#);
    assert_eq!(after(1), r#"{"Properties":{"Of":"{{changeSet:KNOWN_AFTER_APPLY}}","Name":"b-shop"}}"#);
    assert_eq!(after(2), r#"{"Properties":{"Of":"then","Name":"****"}}"#);
    for operation in ["DescribeChangeSet", "DescribeAccountLimits"] {
        let mut input = json!({"NextToken": "00"});
        if operation == "DescribeChangeSet" {
            (input["StackName"], input["ChangeSetName"]) = ("shop".into(), "cs".into());
        }
        let error = env.call(operation, input).unwrap_err();
        assert_eq!((error.code.as_str(), error.message.contains("'00'")), ("ValidationError", true));
    }
}

#[test]
fn creates_and_executes_change_sets() {
    let env = TestEnv::new();
    let deploy = |kind: &str, template: &str| {
        let input = json!({
            "StackName": "shop", "ChangeSetName": format!("cs-{kind}-{}", template.len()),
            "ChangeSetType": kind, "TemplateBody": template,
        });
        env.call("CreateChangeSet", input)
    };
    let set = deploy("CREATE", CHAIN).unwrap();
    assert_eq!(env.status("shop"), "REVIEW_IN_PROGRESS");
    assert_eq!(env.call("GetTemplate", json!({"StackName": "shop"})).unwrap()["TemplateBody"], "");
    let shown = env.call("DescribeChangeSet", json!({"ChangeSetName": set["Id"]})).unwrap();
    assert_eq!(
        (&shown["Status"], &shown["ExecutionStatus"]),
        (&json!("CREATE_COMPLETE"), &json!("AVAILABLE"))
    );
    assert_eq!(shown["Changes"].as_array().unwrap().len(), 5);
    env.call("ExecuteChangeSet", json!({"ChangeSetName": set["Id"]})).unwrap();
    let again = env.call("ExecuteChangeSet", json!({"ChangeSetName": set["Id"]})).unwrap_err();
    assert_eq!(again.code, "InvalidChangeSetStatus");
    env.run();
    env.complete_slow();
    env.run();
    assert_eq!(env.status("shop"), "CREATE_COMPLETE");

    // The same template with another text has no changes.
    let same = deploy("UPDATE", &format!("{CHAIN}\n# a remark\n")).unwrap();
    let shown = env.call("DescribeChangeSet", json!({"ChangeSetName": same["Id"]})).unwrap();
    assert_eq!(shown["Status"], "FAILED");
    assert!(
        shown["StatusReason"]
            .as_str()
            .unwrap()
            .starts_with("The submitted information didn't contain changes.")
    );
    let update =
        env.call("UpdateStack", json!({"StackName": "shop", "UsePreviousTemplate": true})).unwrap_err();
    assert_eq!(update.message, "No updates are to be performed.");
    let gone = json!({"StackName": "shop", "ChangeSetName": "missing"});
    env.call("DeleteChangeSet", gone).unwrap();
}

#[test]
fn same_client_token_returns_the_same_stack() {
    let env = TestEnv::new();
    let input = json!({"StackName": "shop", "TemplateBody": CHAIN, "ClientRequestToken": "t"});
    let first = env.call("CreateStack", input.clone()).unwrap();
    assert_eq!(env.call("CreateStack", input).unwrap(), first);
    assert_eq!(env.create("shop", CHAIN).unwrap_err().message, "Stack [shop] already exists");
}

#[test]
fn survives_repeat() {
    // Every step is taken twice, as after a crash before the engine saw its result.
    let env = TestEnv::new();
    let made = env.create("shop", CHAIN).unwrap();
    let uuid = env.keys().remove(0);
    let twice = || {
        while let Plan::Step(actions) = env.next(&uuid) {
            env.act(&uuid, actions.clone()).unwrap();
            let _ = env.act(&uuid, actions);
        }
    };
    twice();
    env.complete_slow();
    twice();
    assert_eq!(env.phase(&uuid), Phase::Created);
    let lines = env.events("shop");
    assert_eq!(lines.len(), 17, "{lines:#?}");
    env.call("DeleteStack", json!({"StackName": "shop"})).unwrap();
    twice();
    env.complete_slow();
    twice();
    assert_eq!(env.events(made["StackId"].as_str().unwrap()).len(), 29);
    assert!(env.things().is_empty());
}

/// The daemon crashes after each transaction in turn; a new one continues from the state file.
#[test]
fn survives_failure_at_each_step() {
    for crash_after in 0..40 {
        let mut env = TestEnv::new();
        env.create("shop", CHAIN).unwrap();
        let uuid = env.keys().remove(0);
        let mut taken = 0;
        let mut live = |env: &mut TestEnv| {
            while let Plan::Step(actions) = env.next(&uuid) {
                for action in actions {
                    if taken == crash_after {
                        env.restart();
                        taken += 1;
                        break;
                    }
                    taken += 1;
                    env.act(&uuid, vec![action]).unwrap();
                }
            }
        };
        live(&mut env);
        env.complete_slow();
        live(&mut env);
        assert_eq!(env.phase(&uuid), Phase::Created, "after {crash_after}");
        env.call("DeleteStack", json!({"StackName": "shop"})).unwrap();
        live(&mut env);
        env.complete_slow();
        live(&mut env);
        assert_eq!(env.phase(&uuid), Phase::Deleted, "after {crash_after}");
        assert!(env.things().is_empty() && env.keys().is_empty());
    }
}

#[test]
fn purges_deleted_stacks_after_90_days() {
    let env = TestEnv::new();
    let once = "Resources: { A: { Type: Test::Thing } }";
    let live = |name: &str| {
        let made = env.create(name, once).unwrap();
        env.run();
        env.call("DeleteStack", json!({"StackName": name})).unwrap();
        env.run();
        made["StackId"].as_str().unwrap().to_owned()
    };
    let first = live("shop");
    env.clock.advance_ms(91 * 24 * 3_600_000);
    assert_eq!(env.status(&first), "DELETE_COMPLETE");
    let second = live("shop");
    assert_eq!(env.status(&first), format!("Stack with id {first} does not exist"));
    assert_eq!(env.status(&second), "DELETE_COMPLETE");
    let events: Vec<_> = env.store.read().scan::<escale_tables::cloudformation::StackEvent>().collect();
    assert!(events.iter().all(|e| second.ends_with(e.stack.as_str())));
}

#[test]
fn keeps_at_most_40_deleted_stacks() {
    let env = TestEnv::new();
    let made: Vec<String> = (0..42)
        .map(|_| {
            env.clock.advance_ms(1000);
            let made = env.create("shop", "Resources: { A: { Type: Test::Thing } }").unwrap();
            env.run();
            env.call("DeleteStack", json!({"StackName": "shop"})).unwrap();
            env.run();
            made["StackId"].as_str().unwrap().to_owned()
        })
        .collect();
    let kept: Vec<bool> = made.iter().map(|id| env.status(id) == "DELETE_COMPLETE").collect();
    assert_eq!(kept.iter().filter(|kept| **kept).count(), 40);
    assert_eq!(kept[..3], [false, false, true], "the oldest are removed first");
}

/// A stack has the permissions of its creator. If the state does not contain a readable principal, it has none: not those of
/// CloudFormation itself, which are unlimited.
#[test]
fn stack_with_unreadable_principal_creates_and_deletes_nothing() {
    let forget = |env: &TestEnv| {
        env.write(|tx| {
            let uuid = tx.scan::<Stack>().next().unwrap().uuid.clone();
            tx.update::<Stack, _>(&uuid, |s| s.principal = json!({"Rooot": null}));
        });
    };
    let env = TestEnv::new();
    env.create("shop", "Resources: { A: { Type: Test::Thing } }").unwrap();
    forget(&env);
    env.run();
    assert_eq!(env.things(), Vec::<String>::new());
    let events = env.events("shop").join("\n");
    assert!(events.contains("A CREATE_FAILED"), "{events}");
    assert!(events.contains("The principal that stack [shop] acts for cannot be read"), "{events}");

    let env = TestEnv::new();
    env.create("shop", "Resources: { A: { Type: Test::Thing } }").unwrap();
    env.run();
    env.call("DeleteStack", json!({"StackName": "shop"})).unwrap();
    forget(&env);
    env.run();
    assert_eq!((env.things(), env.status("shop")), (vec!["thing-A".to_owned()], "DELETE_FAILED".to_owned()));
    // A new deletion stores its own caller.
    env.call("DeleteStack", json!({"StackName": "shop"})).unwrap();
    env.run();
    assert_eq!(env.things(), Vec::<String>::new());
}

#[test]
fn reports_all_property_faults_with_positions() {
    let env = TestEnv::new();
    let template = r#"
Parameters: { Days: { Type: String, Default: "8" } }
Resources:
  A: { Type: Test::Thing, Properties: { Colour: red } }
  Logs:
    Type: AWS::Logs::LogGroup
    Properties:
      LogGroupName: two words
      Retention: 7
      RetentionInDays: !Ref Days
      LogGroupClass: DELIVERY
      Tags:
        - !Ref AWS::NoValue
        - { Key: !Ref A, Worth: 1 }
"#;
    expect![[r#"
        ValidationError: Resources/A/Properties/Colour: Escale does not support property Colour of Test::Thing (line 4, column 49)
        Resources/Logs/Properties/LogGroupClass: Escale does not support property LogGroupClass of AWS::Logs::LogGroup (line 11, column 22)
        Properties validation failed for resource Logs with message:
        #/LogGroupName: failed validation constraint for keyword [pattern] (line 8, column 21)
        #: extraneous key [Retention] is not permitted (line 9, column 18)
        #/RetentionInDays: failed validation constraint for keyword [enum]: valid are [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653] (line 10, column 24)
        #/Tags/0: required key [Value] not found (line 14, column 11)
        #/Tags/0: extraneous key [Worth] is not permitted (line 14, column 33)"#]]
    .assert_eq(&env.error(template));
    assert_eq!(env.things(), [""; 0]);
}

#[test]
fn checks_and_coerces_late_values_at_creation() {
    let env = TestEnv::new();
    let template = r#"
Resources:
  A: { Type: Test::Thing }
  Logs: { Type: AWS::Logs::LogGroup, Properties: { RetentionInDays: "7", LogGroupName: !Sub "${A.Name} a" } }
"#;
    env.create("shop", template).unwrap();
    env.run();
    env.complete_slow();
    env.run();
    let failed = env.events("shop").into_iter().find(|event| event.starts_with("Logs CREATE_FAILED"));
    expect![[r#"
        Logs CREATE_FAILED Properties validation failed for resource Logs with message:
        #/LogGroupName: failed validation constraint for keyword [pattern]"#]]
    .assert_eq(&failed.unwrap());
}
