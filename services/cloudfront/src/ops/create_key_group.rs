//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreateKeyGroup.html>

use crate::{
    Error,
    error::{Kind, invalid},
    rules,
};
use escale_base::{Timestamp, Wire, ids};
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::{ETag, KeyGroup, KeyGroupConfig, KeyGroupId};

pub(crate) struct CreateKeyGroup;

#[derive(Wire)]
pub(crate) struct Input {
    key_group_config: KeyGroupConfig,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) key_group: Shape,
    pub(crate) location: String,
    #[wire("ETag")]
    pub(crate) etag: ETag,
}

#[derive(Debug, Wire)]
pub(crate) struct Shape {
    pub id: KeyGroupId,
    pub last_modified_time: Timestamp,
    pub key_group_config: KeyGroupConfig,
}

pub(super) fn shape(row: &KeyGroup) -> Shape {
    Shape { id: row.id.clone(), last_modified_time: row.modified, key_group_config: row.config.clone() }
}

impl Operation for CreateKeyGroup {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let config = input.key_group_config;
        check(cx, &config)?;
        if cx.tx.scan::<KeyGroup>().any(|r| r.config.name == config.name) {
            return Err(Error::Exists { kind: Kind::KeyGroup, name: config.name.into() });
        }
        let row = KeyGroup {
            id: KeyGroupId(ids::random_uuid()),
            config,
            etag: rules::new_etag(),
            modified: cx.now,
        };
        let output = output(cx, &row);
        cx.tx.put(row);
        Ok(output)
    }
}

fn output(cx: &Cx<'_>, row: &KeyGroup) -> Output {
    let location = format!("http://{}/2020-05-31/key-group/{}", cx.caller.host, row.id);
    Output { key_group: shape(row), location, etag: row.etag.clone() }
}

pub(super) fn check(cx: &Cx<'_>, config: &KeyGroupConfig) -> Result<(), Error> {
    if config.items.is_empty() {
        return Err(invalid("A key group must have at least one public key"));
    }
    config.items.iter().try_for_each(|id| rules::public_key(cx, id).map(drop))
}
