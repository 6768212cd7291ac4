//! The drift of stacks, from its detection to its end by an update.

use super::*;

const TEMPLATE: &str = "
Resources:
  A: { Type: Test::Thing, Properties: { Of: one } }
  B: { Type: Test::Thing, Properties: { Of: two } }
  C: { Type: Test::Thing, Properties: { Of: three } }
  Unread: { Type: AWS::Logs::LogGroup }
";

impl TestEnv {
    fn detect(&self, only: &[&str]) -> Value {
        let input = json!({"StackName": "shop", "LogicalResourceIds": only});
        let id = self.call("DetectStackDrift", input).unwrap()["StackDriftDetectionId"].clone();
        self.call("DescribeStackDriftDetectionStatus", json!({"StackDriftDetectionId": id})).unwrap()
    }

    fn set(&self, id: &str, of: &str) {
        self.write(|tx| tx.update::<Thing, _>(id, |thing| thing.of = of.to_owned()));
    }

    /// The stack's drift status, then those of its resources in the order of their names.
    fn drift(&self) -> String {
        let shown = self.call("DescribeStacks", json!({"StackName": "shop"})).unwrap();
        let mut all = vec![shown["Stacks"][0]["DriftInformation"]["StackDriftStatus"].clone()];
        let listed = self.call("ListStackResources", json!({"StackName": "shop"})).unwrap();
        for resource in listed["StackResourceSummaries"].as_array().unwrap() {
            all.push(resource["DriftInformation"]["StackResourceDriftStatus"].clone());
        }
        all.iter().map(|status| status.as_str().unwrap()).collect::<Vec<_>>().join(" ")
    }
}

fn created() -> TestEnv {
    let env = TestEnv::new();
    env.create("shop", TEMPLATE).unwrap();
    env.settle();
    env
}

#[test]
fn changed_and_deleted_resources_are_reported() {
    let env = created();
    assert_eq!(env.drift(), "NOT_CHECKED NOT_CHECKED NOT_CHECKED NOT_CHECKED NOT_CHECKED");
    let detected = env.detect(&[]);
    assert_eq!(detected["StackDriftStatus"], "IN_SYNC");
    assert_eq!(detected["DetectionStatus"], "DETECTION_COMPLETE");
    assert_eq!(env.drift(), "IN_SYNC IN_SYNC IN_SYNC IN_SYNC NOT_CHECKED");

    env.set("thing-A", "other");
    env.write(|tx| tx.delete::<Thing>("thing-B"));
    let detected = env.detect(&[]);
    assert_eq!(
        (&detected["StackDriftStatus"], &detected["DriftedStackResourceCount"]),
        (&json!("DRIFTED"), &json!(2))
    );
    assert_eq!(env.drift(), "DRIFTED MODIFIED DELETED IN_SYNC NOT_CHECKED");
    let drifts = |filters: &[&str]| {
        let input = json!({"StackName": "shop", "StackResourceDriftStatusFilters": filters});
        env.call("DescribeStackResourceDrifts", input).unwrap()["StackResourceDrifts"].clone()
    };
    assert_eq!(drifts(&[]).as_array().unwrap().len(), 3);
    let modified = &drifts(&["MODIFIED"])[0];
    assert_eq!(
        modified["PropertyDifferences"],
        json!([{"PropertyPath": "/Of", "ExpectedValue": "one", "ActualValue": "other", "DifferenceType": "NOT_EQUAL"}])
    );
    assert_eq!(modified["ExpectedProperties"], r#"{"Of":"one"}"#);
    assert_eq!(modified["ActualProperties"], r#"{"Of":"other"}"#);
    assert_eq!(drifts(&["DELETED"])[0]["LogicalResourceId"], "B");
}

#[test]
fn one_resource_can_be_checked_alone() {
    let env = created();
    env.set("thing-A", "other");
    assert_eq!(env.detect(&["C"])["StackDriftStatus"], "IN_SYNC");
    assert_eq!(env.drift(), "IN_SYNC NOT_CHECKED NOT_CHECKED IN_SYNC NOT_CHECKED");
    let detect = |logical: &str| {
        env.call("DetectStackResourceDrift", json!({"StackName": "shop", "LogicalResourceId": logical}))
    };
    assert_eq!(detect("A").unwrap()["StackResourceDrift"]["StackResourceDriftStatus"], "MODIFIED");
    assert_eq!(env.drift(), "DRIFTED MODIFIED NOT_CHECKED IN_SYNC NOT_CHECKED");
    let unread = detect("Unread").unwrap_err().message;
    assert_eq!(unread, "Drift detection is not supported for resource type AWS::Logs::LogGroup");
    assert!(detect("None").unwrap_err().message.contains("Resource None does not exist"));
}

#[test]
fn a_resource_that_cannot_be_read_fails_the_detection_but_not_the_others() {
    let env = created();
    env.set("thing-A", "secret");
    env.set("thing-B", "other");
    let detected = env.detect(&[]);
    assert_eq!(detected["DetectionStatus"], "DETECTION_FAILED");
    assert_eq!(detected["DetectionStatusReason"], "Failed to detect drift on resources [A]");
    assert_eq!(env.drift(), "DRIFTED UNKNOWN MODIFIED IN_SYNC NOT_CHECKED");
}

#[test]
fn an_update_resets_the_results() {
    let env = created();
    env.set("thing-A", "other");
    env.detect(&[]);
    env.update("shop", &TEMPLATE.replace("three", "four")).unwrap();
    assert!(
        env.call("DetectStackDrift", json!({"StackName": "shop"}))
            .unwrap_err()
            .message
            .contains("UPDATE_IN_PROGRESS")
    );
    env.settle();
    assert_eq!(env.drift(), "NOT_CHECKED NOT_CHECKED NOT_CHECKED NOT_CHECKED NOT_CHECKED");
    assert_eq!(env.detect(&[])["DriftedStackResourceCount"], 1);
}
