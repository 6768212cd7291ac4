//! Reads and changes the tags of a resource by its ARN.

use crate::Error;
use escale_base::{Arn, Tag};
use escale_store::Tx;
use escale_tables::rds::{Instance, ParameterGroup, Snapshot, SubnetGroup};

/// Runs `work` on the tags of the resource and stores the result.
pub(crate) fn with<T>(tx: &mut Tx, arn: &str, work: impl FnOnce(&mut Vec<Tag>) -> T) -> Result<T, Error> {
    let bad = || Error::Value(format!("Invalid resource name: {arn}"));
    let parsed: Arn = arn.parse().map_err(|_| bad())?;
    let (kind, id) = (parsed.resource_type().to_owned(), parsed.resource_id().to_owned());
    let (done, missing) = match kind.as_str() {
        "db" => (tx.update(&id, |r: &mut Instance| work(&mut r.tags)), Error::NoInstance(id)),
        "snapshot" => (tx.update(&id, |r: &mut Snapshot| work(&mut r.tags)), Error::NoSnapshot(id)),
        "subgrp" => (tx.update(&id, |r: &mut SubnetGroup| work(&mut r.tags)), Error::NoSubnetGroup(id)),
        "pg" => (tx.update(&id, |r: &mut ParameterGroup| work(&mut r.tags)), Error::NoParameterGroup(id)),
        _ => return Err(bad()),
    };
    done.ok_or(missing)
}

/// The tags of the resource.
pub(crate) fn of(tx: &Tx, arn: &str) -> Result<Vec<Tag>, Error> {
    let bad = || Error::Value(format!("Invalid resource name: {arn}"));
    let parsed: Arn = arn.parse().map_err(|_| bad())?;
    let id = parsed.resource_id().to_owned();
    match parsed.resource_type() {
        "db" => tx.get::<Instance>(&id).map(|r| r.tags.clone()).ok_or(Error::NoInstance(id)),
        "snapshot" => tx.get::<Snapshot>(&id).map(|r| r.tags.clone()).ok_or(Error::NoSnapshot(id)),
        "subgrp" => tx.get::<SubnetGroup>(&id).map(|r| r.tags.clone()).ok_or(Error::NoSubnetGroup(id)),
        // The default groups are not stored, so they have no tags.
        "pg" if id.starts_with("default.") => Ok(vec![]),
        "pg" => tx.get::<ParameterGroup>(&id).map(|r| r.tags.clone()).ok_or(Error::NoParameterGroup(id)),
        _ => Err(bad()),
    }
}
