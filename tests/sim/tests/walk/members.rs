//! Members of inputs: one that no model has is ignored, one that the model has and Escale does not enact is refused.

use crate::{
    cloud::World,
    encode::{self, UNKNOWN},
    input,
};
use escale_base::wire::Field;
use escale_model::{Kind, Operation, Protocol, ServiceModel, ShapeId};
use serde_json::{Value, json};
use std::collections::HashSet;

#[tokio::test]
async fn a_member_that_no_model_has_changes_nothing() {
    let world = World::open().await;
    let nobody = world.user("nobody", json!([]));
    let mut faults = Vec::new();
    for (service, name) in world.operations() {
        let model = escale_model::service(service).unwrap();
        let operation = model.operation(name).unwrap();
        let least = input::least(model, operation);
        let request = |unknown| encode::request(model, operation, &least, unknown);
        let read = |unknown| {
            let (mut parts, body) = request(unknown).into_parts();
            parts.headers.insert("authorization", scope(model).parse().unwrap());
            let target = escale_wire::identify(&parts, &body).unwrap();
            escale_wire::decode(&target, &parts, &body).map(|r| r.input)
        };
        let (without, with) = (read(false), read(true));
        if model.protocols[0] == Protocol::Ec2 {
            // EC2 alone refuses what it does not know, on AWS as here:
            // <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>
            match with {
                Err(e) if e.code == "UnknownParameter" && e.message.contains(UNKNOWN) => continue,
                other => faults.push(format!("{service}:{name}: {other:?}")),
            }
            continue;
        }
        let same =
            matches!((&without, &with), (Ok(a), Ok(b)) if a == b && (*a == least || is_absent(&least)));
        let answers = [
            world.send(Some(&nobody), &model.signing_name, request(false)).await,
            world.send(Some(&nobody), &model.signing_name, request(true)).await,
        ];
        let same_answer = (answers[0].status, &answers[0].code) == (answers[1].status, &answers[1].code);
        if !same || !same_answer {
            faults.push(format!(
                "{service}:{name}: least {least} without {without:?} with {with:?} {answers:?}"
            ));
        }
    }
    assert!(faults.is_empty(), "{}:\n{}", faults.len(), faults.join("\n"));
}

/// What some protocols cannot carry: an input without members.
fn is_absent(input: &Value) -> bool {
    input.as_object().is_some_and(serde_json::Map::is_empty)
}

fn scope(model: &ServiceModel) -> String {
    let name = &model.signing_name;
    format!(
        "AWS4-HMAC-SHA256 Credential=A/20270115/eu-west-3/{name}/aws4_request, SignedHeaders=host, Signature=0"
    )
}

#[tokio::test]
async fn every_member_that_is_not_enacted_is_refused_by_its_name() {
    let world = World::open().await;
    let root = World::root();
    let (mut faults, mut count) = (Vec::new(), 0);
    for (service, name) in world.operations() {
        let model = escale_model::service(service).unwrap();
        let operation = model.operation(name).unwrap();
        for path in not_enacted(&world, model, operation) {
            count += 1;
            let with = input::with(model, operation, &path);
            let answer = world.call(Some(&root), service, name, with).await;
            let head = answer.body.is_empty() && answer.status == 501;
            let named = answer.code == "NotImplemented" && answer.body.contains(path.last().unwrap());
            if !head && !named {
                faults.push(format!("{service}:{name} {}: {answer:?}", path.join(".")));
            }
        }
    }
    assert!(faults.is_empty(), "{} of {count}:\n{}", faults.len(), faults.join("\n"));
    assert!(count > 500, "{count}");
}

/// Paths to the members of the model that no struct of the operation reads.
fn not_enacted(world: &World, model: &ServiceModel, operation: &Operation) -> Vec<Vec<String>> {
    let Some(shape) = operation.input else { return Vec::new() };
    let fields = world.cloud.entry(model.id, &operation.name).unwrap().input;
    let mut found = Vec::new();
    let mut walk = Walk { model, found: &mut found, seen: HashSet::new() };
    walk.structure(shape, fields, &mut Vec::new());
    // Enacted for every operation of EC2 at once; the body of a stream is read by the operation itself.
    found.retain(|path| {
        path.as_slice() != ["DryRun"] && operation.streams_in() != path.first().map(String::as_str)
    });
    found
}

struct Walk<'a> {
    model: &'a ServiceModel,
    found: &'a mut Vec<Vec<String>>,
    seen: HashSet<(ShapeId, *const Field)>,
}

impl Walk<'_> {
    fn structure(&mut self, shape: ShapeId, fields: &'static [Field], path: &mut Vec<String>) {
        let model = self.model;
        match &model.shape(shape).kind {
            Kind::List { item, .. } => self.structure(item.shape, fields, path),
            Kind::Structure(structure) => {
                // Shapes and structs may both be recursive.
                if !self.seen.insert((shape, fields.as_ptr())) {
                    return;
                }
                for member in &structure.members {
                    path.push(member.name.clone());
                    match fields.iter().find(|f| f.name == member.name) {
                        None => self.found.push(path.clone()),
                        Some(field) if field.open => {}
                        Some(field) => self.structure(member.shape, (field.below)(), path),
                    }
                    path.pop();
                }
            }
            _ => {}
        }
    }
}
