//! Reads and changes the tags of a resource by its ARN.

use crate::{Error, rules};
use escale_base::{Arn, Tag};
use escale_service::Cx;
use escale_store::Row;
use escale_tables::ecs::{Cluster, Service, Task, TaskDefinition};

enum Tagged {
    Cluster(String),
    Service(String),
    Task(String),
    Definition(String),
}

fn find(cx: &Cx<'_>, arn: &str) -> Result<Tagged, Error> {
    let missing = || Error::NoResource(arn.to_owned());
    let parsed: Arn = arn.parse().map_err(|e| Error::Invalid(format!("{e}")))?;
    match parsed.resource_type() {
        "cluster" => Ok(Tagged::Cluster(rules::cluster(cx.tx, Some(arn))?.name.to_string())),
        "service" => {
            let key = parsed.resource_id().to_owned();
            cx.tx.has::<Service>(&key).then_some(Tagged::Service(key)).ok_or_else(missing)
        }
        "task" => {
            let id = rules::last_part(arn).to_owned();
            cx.tx.has::<Task>(&id).then_some(Tagged::Task(id)).ok_or_else(missing)
        }
        "task-definition" => Ok(Tagged::Definition(rules::definition(cx.tx, arn).ok_or_else(missing)?.key())),
        other => Err(Error::Invalid(format!("Resources of type '{other}' cannot have tags in Escale."))),
    }
}

pub(crate) fn change(cx: &mut Cx<'_>, arn: &str, change: impl FnOnce(&mut Vec<Tag>)) -> Result<(), Error> {
    match find(cx, arn)? {
        Tagged::Cluster(key) => cx.tx.update(&key, |r: &mut Cluster| change(&mut r.tags)),
        Tagged::Service(key) => cx.tx.update(&key, |r: &mut Service| change(&mut r.tags)),
        Tagged::Task(key) => cx.tx.update(&key, |r: &mut Task| change(&mut r.tags)),
        Tagged::Definition(key) => cx.tx.update(&key, |r: &mut TaskDefinition| change(&mut r.tags)),
    }
    .ok_or_else(|| Error::NoResource(arn.to_owned()))
}

pub(crate) fn read(cx: &Cx<'_>, arn: &str) -> Result<Vec<Tag>, Error> {
    let tags = match find(cx, arn)? {
        Tagged::Cluster(key) => cx.tx.get::<Cluster>(&key).map(|r| r.tags.clone()),
        Tagged::Service(key) => cx.tx.get::<Service>(&key).map(|r| r.tags.clone()),
        Tagged::Task(key) => cx.tx.get::<Task>(&key).map(|r| r.tags.clone()),
        Tagged::Definition(key) => cx.tx.get::<TaskDefinition>(&key).map(|r| r.tags.clone()),
    };
    tags.ok_or_else(|| Error::NoResource(arn.to_owned()))
}
