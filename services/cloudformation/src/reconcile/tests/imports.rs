//! Existing resources become resources of a stack.

use super::*;

const IMPORTED: &str = "
Resources:
  A: { Type: Test::Thing, Properties: { Of: one } }
  L: { Type: AWS::ECS::Cluster, DeletionPolicy: Delete, Properties: { ClusterName: there } }
Outputs:
  Name: { Value: !GetAtt L.Name }
";

/// Creates the stack `shop` with a thing, and a cluster that it does not have.
fn with_cluster() -> TestEnv {
    let env = TestEnv::new();
    env.create("shop", "Resources: {A: {Type: Test::Thing, Properties: {Of: one}}}").unwrap();
    env.settle();
    exists(&env, "there");
    env
}

fn exists(env: &TestEnv, id: &str) {
    let thing = Thing {
        id: id.into(),
        ready: true,
        dying: false,
        held: None,
        of: String::new(),
        slow: false,
        broken: false,
        updates: 0,
    };
    env.write(|tx| tx.put(thing));
}

fn request(env: &TestEnv, stack: &str, template: &str, identifier: Value) -> Result<Value, AwsError> {
    env.call(
        "CreateChangeSet",
        json!({
            "StackName": stack, "ChangeSetName": "import", "ChangeSetType": "IMPORT", "TemplateBody": template,
            "ResourcesToImport": [
                {"ResourceType": "AWS::ECS::Cluster", "LogicalResourceId": "L", "ResourceIdentifier": identifier},
            ],
        }),
    )
}

fn execute(env: &TestEnv, stack: &str) {
    env.call("ExecuteChangeSet", json!({"StackName": stack, "ChangeSetName": "import"})).unwrap();
    env.settle();
}

#[test]
fn an_existing_resource_is_imported_and_belongs_to_the_stack_then() {
    let env = with_cluster();
    request(&env, "shop", IMPORTED, json!({"ClusterName": "there"})).unwrap();
    let shown =
        env.call("DescribeChangeSet", json!({"StackName": "shop", "ChangeSetName": "import"})).unwrap();
    let change = &shown["Changes"][0]["ResourceChange"];
    assert_eq!((&change["Action"], &change["PhysicalResourceId"]), (&json!("Import"), &json!("there")));
    assert_eq!(shown["Changes"].as_array().unwrap().len(), 1);
    execute(&env, "shop");
    let events = env.events("shop").split_off(5).join("\n");
    assert_eq!(
        events,
        "shop IMPORT_IN_PROGRESS User Initiated\nL IMPORT_IN_PROGRESS Resource import started.\n\
         L IMPORT_COMPLETE Resource import completed.\nshop IMPORT_COMPLETE"
    );
    let stack = env.call("DescribeStacks", json!({"StackName": "shop"})).unwrap();
    assert_eq!(stack["Stacks"][0]["Outputs"][0]["OutputValue"], "there!");
    assert_eq!(env.thing("there").updates, 1, "it got the stack's tags");

    // It can be changed, cannot be imported a second time, and goes with its stack.
    let error = request(&env, "other", IMPORTED, json!({"ClusterName": "there"})).unwrap_err();
    assert!(error.message.contains("AWS::ECS::Cluster there already exists in stack arn:"), "{error}");
    env.update(
        "shop",
        &IMPORTED.replace("ClusterName: there", "ClusterName: there, Tags: [{Key: a, Value: b}]"),
    )
    .unwrap();
    env.settle();
    assert_eq!((env.status("shop").as_str(), env.thing("there").updates), ("UPDATE_COMPLETE", 2));
    env.call("DeleteStack", json!({"StackName": "shop"})).unwrap();
    env.settle();
    assert_eq!(env.things(), [""; 0]);
}

#[test]
fn a_new_stack_can_consist_of_imported_resources() {
    let env = with_cluster();
    let only = "Resources: {L: {Type: AWS::ECS::Cluster, DeletionPolicy: Retain}}";
    request(&env, "logs", only, json!({"ClusterName": "there"})).unwrap();
    assert_eq!(env.status("logs"), "REVIEW_IN_PROGRESS");
    execute(&env, "logs");
    assert_eq!(env.status("logs"), "IMPORT_COMPLETE");
    env.call("DeleteStack", json!({"StackName": "logs"})).unwrap();
    env.settle();
    assert_eq!(env.things(), ["there", "thing-A"]);
}

#[test]
fn a_failed_import_leaves_the_stack_and_the_resources_as_they_were() {
    let env = with_cluster();
    let template = IMPORTED.replace("ClusterName: there", "ClusterName: missing");
    request(&env, "shop", &template, json!({"ClusterName": "missing"})).unwrap();
    execute(&env, "shop");
    assert_eq!(env.status("shop"), "IMPORT_ROLLBACK_COMPLETE");
    let events = env.events("shop").join("\n");
    assert!(
        events.contains("L IMPORT_FAILED") && events.contains("AWS::ECS::Cluster missing does not exist"),
        "{events}"
    );
    assert_eq!(env.things(), ["there", "thing-A"]);
    // The stack can be updated as before.
    env.update("shop", "Resources: {A: {Type: Test::Thing, Properties: {Of: two}}}").unwrap();
    env.settle();
    assert_eq!((env.status("shop").as_str(), env.thing("thing-A").of.as_str()), ("UPDATE_COMPLETE", "two"));
}

#[test]
fn a_template_with_another_name_than_the_identifier_imports_nothing() {
    let env = with_cluster();
    request(&env, "shop", IMPORTED, json!({"ClusterName": "thing-A"})).unwrap();
    execute(&env, "shop");
    assert!(env.events("shop").join("\n").contains("gives the resource the ClusterName there"));
}

#[test]
fn an_import_changes_nothing_else_and_names_what_it_imports() {
    let env = with_cluster();
    let there = || json!({"ClusterName": "there"});
    for (template, identifier, why) in [
        (IMPORTED.replace("Of: one", "Of: two"), there(), "You have modified resources [A]"),
        (
            IMPORTED.replace("Outputs", "  B: { Type: Test::Thing }\nOutputs"),
            there(),
            "You have modified resources [B]",
        ),
        (IMPORTED.replace("DeletionPolicy: Delete, ", ""), there(), "must have a DeletionPolicy"),
        (IMPORTED.replace("L:", "M:").replace("L.N", "M.N"), there(), "no resource L of the type"),
        (IMPORTED.to_owned(), json!({"Name": "there"}), "must have the key ClusterName"),
        (IMPORTED.to_owned(), json!({"ClusterName": "there", "Arn": "x"}), "must have the key ClusterName"),
    ] {
        let error = request(&env, "shop", &template, identifier).unwrap_err();
        assert!(error.message.contains(why), "{error}");
    }
    let template = IMPORTED.replace("AWS::ECS::Cluster", "Test::Thing");
    let wanted =
        json!({"ResourceType": "Test::Thing", "LogicalResourceId": "L", "ResourceIdentifier": {"Name": "x"}});
    let mut input = json!({
        "StackName": "shop", "ChangeSetName": "import", "ChangeSetType": "IMPORT", "TemplateBody": template.replace("ClusterName: there", ""),
        "ResourcesToImport": [wanted],
    });
    let error = env.call("CreateChangeSet", input.clone()).unwrap_err();
    assert!(error.message.contains("The import of the type Test::Thing"), "{error}");
    input["ChangeSetType"] = json!("UPDATE");
    let error = env.call("CreateChangeSet", input).unwrap_err();
    assert!(error.message.contains("ResourcesToImport requires the ChangeSetType IMPORT"), "{error}");
}
