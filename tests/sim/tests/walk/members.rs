//! Members of inputs: unknown ones are ignored, those of the model that Escale does not enact are refused.

use crate::{
    cloud::Harness,
    encode::{self, UNKNOWN},
    input,
};
use escale_base::wire::Field;
use escale_model::{Kind, Operation, Protocol, ServiceModel, ShapeId};
use serde_json::{Value, json};
use std::collections::HashSet;

#[tokio::test]
async fn ignores_unknown_members() {
    let harness = Harness::open().await;
    let user = harness.user("no-policy", json!([]));
    let mut faults = Vec::new();
    for (service, name) in harness.operations() {
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
            // Only EC2 refuses unknown parameters, on AWS as here:
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
            harness.send(Some(&user), &model.signing_name, request(false)).await,
            harness.send(Some(&user), &model.signing_name, request(true)).await,
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

/// Whether the input has no members: some protocols send no body for it.
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
async fn refuses_every_member_that_is_not_enacted_by_name() {
    let harness = Harness::open().await;
    let root = Harness::root();
    let (mut faults, mut count) = (Vec::new(), 0);
    for (service, name) in harness.operations() {
        let model = escale_model::service(service).unwrap();
        let operation = model.operation(name).unwrap();
        for path in not_enacted(&harness, model, operation) {
            count += 1;
            let with = input::with(model, operation, &path);
            let answer = harness.call(Some(&root), service, name, with).await;
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
fn not_enacted(harness: &Harness, model: &ServiceModel, operation: &Operation) -> Vec<Vec<String>> {
    let Some(shape) = operation.input else { return Vec::new() };
    let fields = harness.cloud.entry(model.id, &operation.name).unwrap().input;
    let mut found = Vec::new();
    let mut walk = Walk { model, found: &mut found, seen: HashSet::new() };
    walk.structure(shape, fields, &mut Vec::new());
    // `DryRun` is enacted for all operations of EC2 in one place; a streamed body is no field of the struct.
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
