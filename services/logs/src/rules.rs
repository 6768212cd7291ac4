//! Lookups and checks that the operations share.

use crate::Error;
use escale_base::{Arn, Tag};
use escale_service::Config;
use escale_store::Image;
use escale_tables::logs::{LogGroup, LogGroupName, LogStream, LogStreamName};
use std::{collections::BTreeMap, sync::Arc};

/// The retention periods that AWS accepts, in days.
pub(crate) const RETENTION_DAYS: &[i32] = &[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];

pub(crate) fn group(image: &Image, name: &LogGroupName) -> Result<Arc<LogGroup>, Error> {
    image.get::<LogGroup>(name).ok_or(Error::NoGroup)
}

/// The ids of the group's streams in the plane.
pub(crate) fn stream_ids(image: &Image, group_name: &LogGroupName) -> Vec<String> {
    image.prefix::<LogStream>(&format!("{group_name}:")).map(|s| s.id.to_string()).collect()
}

pub(crate) fn stream(
    image: &Image,
    group_name: &LogGroupName,
    name: &LogStreamName,
) -> Result<Arc<LogStream>, Error> {
    group(image, group_name)?;
    image.get::<LogStream>(&LogStream::key_of(group_name, name)).ok_or(Error::NoStream)
}

/// The group's name from `logGroupName` or `logGroupIdentifier` (a name or an ARN).
pub(crate) fn group_name(
    name: Option<LogGroupName>,
    identifier: Option<String>,
) -> Result<LogGroupName, Error> {
    match (name, identifier) {
        (Some(_), Some(_)) => {
            Err(Error::Invalid("Set either logGroupName or logGroupIdentifier, not both.".into()))
        }
        (Some(name), None) => Ok(name),
        (None, Some(id)) if id.starts_with("arn:") => group_of_arn(&id),
        (None, Some(id)) => Ok(id.into()),
        (None, None) => Err(Error::Invalid("Set logGroupName or logGroupIdentifier.".into())),
    }
}

/// `arn:aws:logs:region:account:log-group:NAME` with or without `:*`.
pub(crate) fn group_of_arn(text: &str) -> Result<LogGroupName, Error> {
    let arn: Arn = text.parse().map_err(|e| Error::Invalid(format!("{e}")))?;
    let name = arn.resource.strip_prefix("log-group:").filter(|_| arn.service == "logs");
    let name = name.ok_or_else(|| Error::Invalid(format!("'{text}' is not the ARN of a log group.")))?;
    Ok(name.trim_end_matches(":*").into())
}

pub(crate) fn group_arn(config: &Config, name: &LogGroupName) -> String {
    Arn::new("logs", &config.region, &config.account, format!("log-group:{name}")).to_string()
}

/// The resource of an operation on a group, for policies.
pub(crate) fn group_resource(config: &Config, name: &LogGroupName) -> String {
    format!("{}:*", group_arn(config, name))
}

/// The resource of an operation on a stream, for policies.
pub(crate) fn stream_resource(config: &Config, group: &LogGroupName, stream: &LogStreamName) -> String {
    format!("{}:log-stream:{stream}", group_arn(config, group))
}

pub(crate) fn check_group_name(name: &LogGroupName) -> Result<(), Error> {
    let ok = |c: char| c.is_ascii_alphanumeric() || "_-/.#".contains(c);
    if name.is_empty() || name.len() > 512 || !name.chars().all(ok) {
        return Err(Error::Invalid(format!(
            "Value '{name}' at 'logGroupName' failed to satisfy constraint: 1 to 512 of a-z A-Z 0-9 _ - / . #"
        )));
    }
    Ok(())
}

pub(crate) fn check_stream_name(name: &LogStreamName) -> Result<(), Error> {
    if name.is_empty() || name.len() > 512 || name.contains([':', '*']) {
        return Err(Error::Invalid(format!(
            "Value '{name}' at 'logStreamName' failed to satisfy constraint: 1 to 512 characters without ':' and '*'"
        )));
    }
    Ok(())
}

pub(crate) fn check_retention(days: i32) -> Result<(), Error> {
    if RETENTION_DAYS.contains(&days) {
        return Ok(());
    }
    Err(Error::Invalid(format!(
        "Value '{days}' at 'retentionInDays' failed to satisfy constraint: it must be one of {RETENTION_DAYS:?}"
    )))
}

pub(crate) fn tag_map(tags: &[Tag]) -> BTreeMap<String, String> {
    tags.iter().map(|t| (t.key.clone(), t.value.clone())).collect()
}

pub(crate) fn tag_list(tags: BTreeMap<String, String>) -> impl Iterator<Item = Tag> {
    tags.into_iter().map(|(key, value)| Tag { key, value })
}
