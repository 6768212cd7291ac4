use super::*;
use crate::CloudFormation;
use escale_engine::{Plan, Reconciler};
use escale_harness::{Harness, Resource};
use escale_service::{Arrival, Body, Entrance, Mount};
use http::Request;
use http_body_util::{BodyExt, Full};

const HANDLE: &str = "AWS::CloudFormation::WaitConditionHandle";
const CONDITION: &str = "AWS::CloudFormation::WaitCondition";

struct Env {
    harness: Harness,
    signals: Signals,
    timeouts: Timeouts,
    handle: Resource,
}

impl Env {
    fn new() -> Env {
        let harness = Harness::of(CloudFormation);
        let signals = Signals::new(harness.store.clone(), &harness.cloud.config);
        let timeouts = Timeouts { store: harness.store.clone() };
        let handle = harness.create_resource(HANDLE, json!({})).unwrap();
        Env { harness, signals, timeouts, handle }
    }

    fn condition(&self, timeout: u32, count: u32) -> Resource {
        let handle = &self.handle.created.physical_id;
        let properties = json!({"Handle": handle, "Timeout": timeout.to_string(), "Count": count});
        self.harness.create_resource(CONDITION, properties).unwrap()
    }

    /// Path and query of the handle's URL.
    fn path(&self) -> String {
        let url = &self.handle.created.physical_id;
        url.strip_prefix("http://s3.escale.internal").unwrap().to_owned()
    }

    async fn request(&self, method: &str, path: &str, body: impl Into<bytes::Bytes>) -> (u16, String) {
        let body: Body = Full::new(body.into()).map_err(|never| match never {}).boxed_unsync();
        let request = Request::builder().method(method).uri(path).body(body).unwrap();
        let (parts, body) = request.into_parts();
        assert!(self.signals.claims(&parts), "{path}");
        let arrival = Arrival { entrance: Entrance::Cloud, peer: "10.0.0.1:9".parse().unwrap(), tls: None };
        let answer = self.signals.serve(Request::from_parts(parts, body), arrival).await;
        let status = answer.status().as_u16();
        let text = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(text.to_vec()).unwrap())
    }

    async fn signal(&self, body: Value) -> u16 {
        self.request("PUT", &self.path(), body.to_string()).await.0
    }

    fn state(&self, condition: &Resource) -> Readiness {
        ready(&self.harness.store.read(), &condition.created)
    }

    /// Lets the time pass and the reconciler run.
    async fn advance(&self, condition: &Resource, ms: i64) {
        self.harness.clock.advance_ms(ms);
        let key = &condition.created.physical_id;
        let plan = self.timeouts.plan(&self.harness.store.read(), key, self.harness.clock.now());
        if let Plan::Step(step) = plan {
            self.timeouts.act(key, step).await.unwrap();
        }
    }
}

fn success(id: &str) -> Value {
    json!({"Status": "SUCCESS", "UniqueId": id, "Reason": "done", "Data": format!("data of {id}")})
}

fn pending(why: &str) -> Readiness {
    Readiness::Pending(why.into())
}

fn failed(why: &str) -> Readiness {
    Readiness::Failed(why.into())
}

fn done(data: &str) -> Readiness {
    Readiness::Ready(BTreeMap::from([("Data".to_owned(), data.into())]))
}

#[tokio::test]
async fn condition_waits_for_its_signals() {
    let env = Env::new();
    let condition = env.condition(600, 2);
    assert_eq!(env.state(&condition), pending("0 of 2 signals were received"));
    assert_eq!(env.signal(success("b")).await, 200);
    // The same id is a retry.
    assert_eq!(env.signal(json!({"Status": "FAILURE", "UniqueId": "b"})).await, 200);
    assert_eq!(env.state(&condition), pending("1 of 2 signals were received"));
    assert_eq!(env.signal(json!({"Status": "SUCCESS", "UniqueId": "a"})).await, 200);
    assert_eq!(env.state(&condition), done(r#"{"b":"data of b","a":""}"#));
    // A condition that has its signals does not time out.
    env.advance(&condition, 600_000).await;
    assert_eq!(env.state(&condition), done(r#"{"b":"data of b","a":""}"#));
}

#[tokio::test]
async fn signals_before_the_condition_count() {
    let env = Env::new();
    assert_eq!(env.signal(success("early")).await, 200);
    assert_eq!(env.state(&env.condition(0, 1)), done(r#"{"early":"data of early"}"#));
}

#[tokio::test]
async fn failure_fails_the_condition() {
    let env = Env::new();
    let condition = env.condition(600, 2);
    env.signal(success("a")).await;
    env.signal(json!({"Status": "FAILURE", "UniqueId": "b", "Reason": "no disk"})).await;
    assert_eq!(
        env.state(&condition),
        failed("WaitCondition received failed message: 'no disk' for uniqueId: b")
    );
}

#[tokio::test]
async fn condition_times_out() {
    let env = Env::new();
    let condition = env.condition(3600, 2);
    let until = within(&env.harness.store.read(), &condition.created).unwrap();
    assert_eq!(until, env.harness.clock.now().plus_ms(3_600_000));
    env.signal(success("a")).await;
    env.advance(&condition, 3_599_999).await;
    assert_eq!(env.state(&condition), pending("1 of 2 signals were received"));
    env.advance(&condition, 1).await;
    let timed_out = failed("WaitCondition timed out. Received 1 conditions when expecting 2");
    assert_eq!(env.state(&condition), timed_out);
    // Both may run again.
    env.timeouts.act(&condition.created.physical_id, timeout::Mark).await.unwrap();
    assert_eq!(env.state(&condition), timed_out);
    let plan = env.timeouts.plan(&env.harness.store.read(), &condition.created.physical_id, until);
    assert_eq!(plan, Plan::Done);
    env.harness.delete_resource(&condition).unwrap();
    env.timeouts.act(&condition.created.physical_id, timeout::Mark).await.unwrap();
    assert!(!env.harness.store.read().has::<WaitCondition>(&condition.created.physical_id));
}

#[tokio::test]
async fn only_the_whole_url_takes_signals() {
    let env = Env::new();
    let condition = env.condition(600, 1);
    let other = env.harness.create_resource(HANDLE, json!({})).unwrap().created.physical_id;
    let (path, query) = env.path().split_once('?').map(|(p, q)| (p.to_owned(), q.to_owned())).unwrap();
    let (_, other_query) = other.split_once('?').unwrap();
    let signature = query.strip_prefix("Signature=").unwrap();
    assert_eq!(signature.len(), 64);
    let body = || success("a").to_string();
    for (method, target) in [
        ("PUT", path.clone()),
        ("PUT", format!("{path}?")),
        ("PUT", format!("{path}?Signature=")),
        ("PUT", format!("{path}?Signature={}", &signature[1..])),
        ("PUT", format!("{path}?Signature={}", signature.to_uppercase())),
        ("PUT", format!("{path}?signature={signature}")),
        // The signature of another handle.
        ("PUT", format!("{path}?{other_query}")),
        ("PUT", format!("{path}/x?{query}")),
        ("PUT", format!("{}x?{query}", path)),
        ("PUT", format!("/cloudformation-waitcondition-eu-west-3/?{query}")),
        ("PUT", format!("/cloudformation-waitcondition-eu-west-3?{query}")),
        ("GET", env.path()),
        ("POST", env.path()),
        ("DELETE", env.path()),
    ] {
        let (status, text) = env.request(method, &target, body()).await;
        assert_eq!(status, 403, "{method} {target}");
        assert!(text.contains("<Code>SignatureDoesNotMatch</Code>"), "{text}");
    }
    assert_eq!(env.state(&condition), pending("0 of 1 signals were received"));
    env.harness.delete_resource(&env.handle).unwrap();
    assert_eq!(env.signal(success("a")).await, 403, "the handle was deleted");
}

#[test]
fn claims_no_other_requests() {
    let env = Env::new();
    for path in [
        "/",
        "/bucket/key",
        "/cloudformation-waitcondition-eu-west-30/x",
        "/x/cloudformation-waitcondition-eu-west-3/",
    ] {
        let (parts, ()) = Request::builder().uri(path).body(()).unwrap().into_parts();
        assert!(!env.signals.claims(&parts), "{path}");
    }
}

#[tokio::test]
async fn malformed_signals_are_refused_and_not_stored() {
    let env = Env::new();
    let condition = env.condition(600, 1);
    let long =
        json!({"Status": "SUCCESS", "UniqueId": "a", "Data": "x".repeat(limits::BODY_BYTES)}).to_string();
    for (body, status, why) in [
        ("", 400, "The signal cannot be read"),
        ("{", 400, "The signal cannot be read"),
        ("[]", 400, "The signal cannot be read"),
        (r#"{"Status": "SUCCESS"}"#, 400, "missing field `UniqueId`"),
        (r#"{"UniqueId": "a"}"#, 400, "missing field `Status`"),
        (r#"{"Status": "Success", "UniqueId": "a"}"#, 400, "must be SUCCESS or FAILURE"),
        (r#"{"Status": "SUCCESS", "UniqueId": ""}"#, 400, "must not be empty"),
        (r#"{"Status": "SUCCESS", "UniqueId": 5}"#, 400, "expected a string"),
        (r#"{"Status": "SUCCESS", "UniqueId": "a", "Colour<": "red"}"#, 400, "unknown field `Colour&lt;`"),
        ("\u{fffd}", 400, "The signal cannot be read"),
        (long.as_str(), 413, "at most 8192 bytes"),
    ] {
        let (found, text) = env.request("PUT", &env.path(), body.to_owned()).await;
        assert_eq!(found, status, "{body}: {text}");
        assert!(text.contains(why), "{body}: {text}");
    }
    assert_eq!(env.state(&condition), pending("0 of 1 signals were received"));
}

#[tokio::test]
async fn handle_takes_a_limited_number_of_signals() {
    let env = Env::new();
    for n in 0..limits::OF_A_HANDLE {
        assert_eq!(env.signal(success(&n.to_string())).await, 200);
    }
    assert_eq!(env.signal(success("one more")).await, 400);
    assert_eq!(env.signal(success("0")).await, 200, "a retry is no further signal");
}

#[test]
fn properties_are_checked() {
    let env = Env::new();
    let handle = &env.handle.created.physical_id;
    let forged = handle.replace("Signature=", "Signature=0");
    for (properties, why) in [
        (json!({"Timeout": "10"}), "Property Handle cannot be empty"),
        (json!({"Handle": handle}), "Property Timeout cannot be empty"),
        (json!({"Handle": handle, "Timeout": "soon"}), "Property Timeout must be from 0 to 43200 seconds"),
        (json!({"Handle": handle, "Timeout": "43201"}), "Property Timeout must be from 0 to 43200 seconds"),
        (
            json!({"Handle": "http://example.com/", "Timeout": "1"}),
            "must be the Ref of a WaitConditionHandle",
        ),
        (json!({"Handle": forged, "Timeout": "1"}), "must be the Ref of a WaitConditionHandle"),
        (
            json!({"Handle": handle, "Timeout": "1", "Count": 257}),
            "A wait condition with a Count of 257 is not supported. Use at most 256.",
        ),
    ] {
        let error = env.harness.create_resource(CONDITION, properties.clone()).err().unwrap();
        assert!(error.message.contains(why), "{properties}: {error}");
    }
}

#[test]
fn resources_are_read_and_deleted() {
    let env = Env::new();
    let mut condition = env.condition(600, 2);
    let properties = json!({"Handle": env.handle.created.physical_id, "Timeout": "600", "Count": 2});
    assert_eq!(env.harness.read_resource(&condition), properties);
    assert_eq!(env.harness.read_resource(&env.handle), json!({}));
    let changed = json!({"Handle": env.handle.created.physical_id, "Timeout": "700", "Count": 2});
    let error = env.harness.update_resource(&mut condition, changed).unwrap_err();
    assert!(
        error
            .message
            .starts_with("Update to resource type AWS::CloudFormation::WaitCondition is not supported.")
    );
    for _ in 0..2 {
        env.harness.delete_resource(&condition).unwrap();
        env.harness.delete_resource(&env.handle).unwrap();
    }
    assert_eq!(env.harness.read_resource(&condition), Value::Null);
    assert_eq!(env.harness.read_resource(&env.handle), Value::Null);
    assert!(matches!(env.state(&condition), Readiness::Failed(_)));
}
