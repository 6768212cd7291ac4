//! Stacks of a fake service, driven step by step, with repeated and interrupted steps.

use super::*;
use crate::CloudFormation;
use escale_base::wire::Value;
use escale_harness::{AllowAll, Harness};
use escale_service::{DeleteWithSnapshot, Entry, Kind, Props, ResourceType, Service, StreamCx};
use escale_store::{Row, TableDef};
use escale_tables::cloudformation::Phase;
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};
use std::{collections::BTreeMap, ops::Deref};

mod drift;
mod error;
mod imports;
mod nested;
mod outside;
mod random;
mod stories;
mod updates;
mod watches;

/// The fake service's row.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Thing {
    id: String,
    ready: bool,
    dying: bool,
    /// The error code of the service's answer to a deletion.
    held: Option<String>,
    of: String,
    slow: bool,
    /// Never becomes ready.
    broken: bool,
    /// The number of updates.
    updates: u32,
}

impl Row for Thing {
    const TABLE: &'static str = "thing";
    fn key(&self) -> String {
        self.id.clone()
    }
}

struct Things;

impl Service for Things {
    fn id(&self) -> &'static str {
        "things"
    }
    fn operations(&self) -> Vec<Entry> {
        Vec::new()
    }
    fn resource_types(&self) -> Vec<ResourceType> {
        let properties = &["Name", "Of", "Slow", "Fail", "Held", "Kind", "Broken", "Tags"];
        let things = ["Test::Thing", KEPT].map(|name| {
            let kind = ResourceType::new(name, properties, create, delete).ready(ready).gone(gone);
            kind.update(update).read(read).replaces_if(|change| change.property == "Kind")
        });
        let with_schema =
            ResourceType::new(WITH_SCHEMA, &["LogGroupName", "RetentionInDays", "Tags"], create, delete);
        let importable = ResourceType::new(IMPORTABLE, &["ClusterName", "Tags"], create, delete);
        let importable = importable.update(update).read(read);
        let importable = importable.adopt(|_, id, _| Ok(Created::new(id)));
        things.into_iter().chain([with_schema, importable]).collect()
    }
    fn delete_with_snapshot(&self, type_name: &str) -> Option<DeleteWithSnapshot> {
        (type_name == KEPT).then_some(delete_with_snapshot as DeleteWithSnapshot)
    }
}

/// A type whose properties have a schema.
const WITH_SCHEMA: &str = "AWS::Logs::LogGroup";

/// A type whose resources can be imported into a stack.
const IMPORTABLE: &str = "AWS::ECS::Cluster";

/// A type that supports snapshots: a snapshot is another `Thing` with the given name.
const KEPT: &str = "Test::Kept";

fn delete_with_snapshot(cx: &mut Cx<'_>, created: &Created, name: &str) -> Result<(), AwsError> {
    let Some(thing) = cx.tx.get::<Thing>(&created.physical_id) else { return Ok(()) };
    cx.tx.put(Thing { id: name.to_owned(), ..(*thing).clone() });
    delete(cx, created)
}

fn create(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    // `Kind` is create-only: another kind is another thing.
    let id = match props.str("Kind") {
        Some(kind) => format!("thing-{}-{kind}", props.logical_id),
        None => format!("thing-{}", props.logical_id),
    };
    let id = props.str("Name").map_or(id, str::to_owned);
    if cx.tx.has::<Thing>(&id) {
        return Err(error::thing_exists(&id));
    }
    put(cx, props, &id, 0)
}

fn update(cx: &mut Cx<'_>, update: &escale_service::Update<'_>) -> Result<Created, AwsError> {
    let id = &update.created.physical_id;
    let Some(there) = cx.tx.get::<Thing>(id) else { return Err(error::limit("it was deleted")) };
    assert!(!update.changed("Kind"), "the engine replaces the thing");
    put(cx, update.after, id, there.updates + 1)
}

fn put(cx: &mut Cx<'_>, props: &Props<'_>, id: &str, updates: u32) -> Result<Created, AwsError> {
    let is = |name: &str| props.get(name).is_some_and(|value| *value == true || *value == "true");
    let (slow, broken) = (is("Slow"), is("Broken"));
    let of = props.str("Of").unwrap_or("").to_owned();
    let held = props.str("Held").map(str::to_owned);
    let made = Created::new(id).with("Name", format!("{id}!")).with("Of", of.as_str());
    cx.tx.put(Thing { id: id.into(), ready: !slow, dying: false, held, of, slow, broken, updates });
    // Fails after the write, which must be rolled back.
    match props.str("Fail") {
        Some(why) => Err(error::limit(why)),
        None => Ok(made),
    }
}

/// Shows `Of` only.
fn read(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    let Some(thing) = cx.tx.get::<Thing>(&created.physical_id) else { return Ok(None) };
    if thing.of == "secret" {
        return Err(error::limit("it is secret"));
    }
    Ok(json!({"Of": thing.of}).as_object().cloned())
}

fn ready(image: &Image, created: &Created) -> Readiness {
    match image.get::<Thing>(&created.physical_id) {
        Some(thing) if thing.broken => Readiness::Failed("it is broken".into()),
        Some(thing) if thing.ready => Readiness::Ready(BTreeMap::from([("Late".into(), "late".into())])),
        Some(_) => Readiness::Pending("warming up".into()),
        None => Readiness::Failed("it was deleted".into()),
    }
}

fn delete(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    let Some(thing) = cx.tx.get::<Thing>(&created.physical_id) else { return Ok(()) };
    if let Some(code) = &thing.held {
        return Err(error::held(code));
    }
    if thing.slow {
        cx.tx.update::<Thing, _>(&thing.id, |t| t.dying = true);
    } else {
        cx.tx.delete::<Thing>(&thing.id);
    }
    Ok(())
}

fn gone(image: &Image, created: &Created) -> Readiness {
    if image.has::<Thing>(&created.physical_id) {
        Readiness::Pending("cooling down".into())
    } else {
        Readiness::ready()
    }
}

/// A cloud with CloudFormation and the fake services.
pub(super) struct TestEnv {
    harness: Harness,
    stacks: Stacks,
}

impl Deref for TestEnv {
    type Target = Harness;

    fn deref(&self) -> &Harness {
        &self.harness
    }
}

impl TestEnv {
    fn new() -> TestEnv {
        let mut services: Vec<Arc<dyn Service>> = vec![Arc::new(CloudFormation), Arc::new(Things)];
        services.extend(outside::services());
        let harness = Harness::with(services, Arc::new(AllowAll), &[TableDef::of::<Thing>()]);
        let stacks = Stacks::new(harness.store.clone(), Arc::clone(&harness.cloud));
        TestEnv { harness, stacks }
    }

    /// Replaces the daemon by a new one after a crash.
    fn restart(&mut self) {
        self.harness.reopen();
        self.stacks = Stacks::new(self.harness.store.clone(), Arc::clone(&self.harness.cloud));
    }

    /// Calls a synchronous operation or one that takes a template.
    fn call(&self, operation: &str, input: Value) -> Result<Value, AwsError> {
        let entry = self.cloud.entry("cloudformation", operation).unwrap();
        let Kind::Stream(handler) = &entry.kind else {
            return self.harness.call(operation, input);
        };
        let cx = StreamCx {
            store: self.store.clone(),
            cloud: Arc::clone(&self.cloud),
            caller: Harness::root(),
            config: Arc::clone(&self.cloud.config),
            now: self.clock.now(),
            headers: http::HeaderMap::new(),
        };
        let body = http_body_util::Empty::new().map_err(|e| match e {}).boxed_unsync();
        let reply = tokio::runtime::Builder::new_current_thread().build().unwrap();
        reply.block_on(handler.run(cx, input, body)).map(|r| r.output)
    }

    fn create(&self, name: &str, template: &str) -> Result<Value, AwsError> {
        self.call("CreateStack", json!({"StackName": name, "TemplateBody": template}))
    }

    fn error(&self, template: &str) -> String {
        self.create("broken", template).unwrap_err().to_string()
    }

    fn keys(&self) -> Vec<String> {
        self.store.read().scan::<Busy>().map(|b| b.stack.to_string()).collect()
    }

    fn next(&self, key: &str) -> Plan<Vec<Action>> {
        self.stacks.plan(&self.store.read(), key, self.clock.now())
    }

    /// Takes one step for every busy stack; whether there was any.
    fn step(&self) -> bool {
        let mut any = false;
        for key in self.keys() {
            if let Plan::Step(actions) = self.next(&key) {
                any |= self.act(&key, actions).is_ok();
            }
        }
        any
    }

    fn act(&self, key: &str, actions: Vec<Action>) -> Result<(), StepError> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(self.stacks.act(key, actions))
    }

    /// Takes steps until all stacks wait or are done.
    fn run(&self) {
        for _ in 0..200 {
            if !self.step() {
                return;
            }
        }
        panic!("the stacks still have steps after 200 rounds");
    }

    fn status(&self, name: &str) -> String {
        match self.call("DescribeStacks", json!({"StackName": name})) {
            Ok(found) => found["Stacks"][0]["StackStatus"].as_str().unwrap().to_owned(),
            Err(error) => error.message,
        }
    }

    /// The events as `Logical STATUS reason`, oldest first.
    fn events(&self, named: &str) -> Vec<String> {
        let found = self.call("DescribeStackEvents", json!({"StackName": named})).unwrap();
        let text = |e: &Value, name: &str| e[name].as_str().unwrap_or("").to_owned();
        let line = |e: &Value| {
            let parts = ["LogicalResourceId", "ResourceStatus", "ResourceStatusReason"];
            parts.map(|p| text(e, p)).join(" ").trim_end().to_owned()
        };
        let mut lines: Vec<String> = found["StackEvents"].as_array().unwrap().iter().map(line).collect();
        lines.reverse();
        lines
    }

    fn things(&self) -> Vec<String> {
        self.store.read().scan::<Thing>().map(|t| t.id.clone()).collect()
    }

    fn update(&self, name: &str, template: &str) -> Result<Value, AwsError> {
        self.call("UpdateStack", json!({"StackName": name, "TemplateBody": template}))
    }

    fn thing(&self, id: &str) -> Arc<Thing> {
        self.store.read().get::<Thing>(id).unwrap_or_else(|| panic!("no thing {id}"))
    }

    /// Runs all stacks to their end; slow things take their time.
    fn settle(&self) {
        for _ in 0..20 {
            self.run();
            if self.keys().is_empty() {
                return;
            }
            self.complete_slow();
        }
        panic!("the stacks do not end: {:?}", self.keys());
    }

    /// Completes the creation or deletion of all slow things.
    fn complete_slow(&self) {
        let image = self.store.read();
        for thing in image.scan::<Thing>() {
            self.write(|tx| {
                if thing.dying {
                    tx.delete::<Thing>(&thing.id);
                } else {
                    tx.update::<Thing, _>(&thing.id, |t| t.ready = true);
                }
            });
        }
    }

    fn phase(&self, uuid: &str) -> Phase {
        self.store.read().get::<Stack>(uuid).unwrap().phase
    }
}
