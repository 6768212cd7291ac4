//! Wait conditions: a stack waits until programs, for example its tasks, have sent signals to a URL.
//!
//! The `Ref` of a handle is that URL. As on AWS it looks like a presigned URL of S3, with a signature that only its holders know,
//! and needs no credentials. `signals.rs` serves it, `timeout.rs` ends the wait.
//! Source: <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-waitcondition.html>

mod signals;
#[cfg(test)]
mod tests;
mod timeout;

pub(crate) use signals::Signals;
pub(crate) use timeout::Timeouts;

use escale_base::{
    AwsError, Secret, Timestamp, ids,
    limits::signals as limits,
    wire::{Map, Value},
};
use escale_service::{Config, Created, Cx, Props, Readiness, ResourceType};
use escale_store::Image;
use escale_tables::cloudformation::{SignalStatus, WaitCondition, WaitHandle, WaitHandleId};
use serde_json::json;
use std::collections::BTreeMap;

pub(crate) fn types() -> Vec<ResourceType> {
    vec![
        ResourceType::new("AWS::CloudFormation::WaitConditionHandle", &[], create_handle, delete_handle)
            .read(read_handle),
        ResourceType::new(
            "AWS::CloudFormation::WaitCondition",
            &["Handle", "Timeout", "Count"],
            create_condition,
            delete_condition,
        )
        .ready(ready)
        .within(within)
        .update(|_, update| Err(not_updatable(update.after)))
        .read(read_condition),
    ]
}

/// The name of AWS's bucket. Requests for it never reach S3.
fn bucket(config: &Config) -> String {
    format!("cloudformation-waitcondition-{}", config.region)
}

/// The name is the one under which tasks reach S3; on the host, the endpoint has the same path.
fn url(config: &Config, handle: &WaitHandle) -> String {
    let port = match config.port {
        80 => String::new(),
        other => format!(":{other}"),
    };
    format!(
        "http://{}{port}/{}/{}?Signature={}",
        Config::s3_name(),
        bucket(config),
        handle.id,
        handle.signature.reveal()
    )
}

/// The handle whose URL this is.
fn handle_of(image: &Image, config: &Config, text: &str) -> Option<WaitHandle> {
    let id = text.split_once('?')?.0.rsplit('/').next()?;
    let handle = image.get::<WaitHandle>(id)?;
    (url(config, &handle) == text).then(|| (*handle).clone())
}

fn create_handle(cx: &mut Cx<'_>, _: &Props<'_>) -> Result<Created, AwsError> {
    let signature = Secret::new(ids::random_hex(64));
    let handle = WaitHandle { id: WaitHandleId(ids::random_uuid()), signature, signals: Vec::new() };
    let created = Created::new(url(cx.config, &handle));
    cx.tx.put(handle);
    Ok(created)
}

fn delete_handle(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    if let Some(handle) = handle_of(cx.tx, cx.config, &created.physical_id) {
        cx.tx.delete::<WaitHandle>(&handle.id);
    }
    Ok(())
}

fn read_handle(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    Ok(handle_of(cx.tx, cx.config, &created.physical_id).map(|_| Map::new()))
}

fn create_condition(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let handle = handle_of(cx.tx, cx.config, props.text("Handle")?).ok_or_else(|| {
        props.invalid("Property Handle must be the Ref of a WaitConditionHandle that exists.")
    })?;
    let timeout_secs = props.text("Timeout")?.parse().ok().filter(|secs| *secs <= limits::TIMEOUT_SECS);
    let timeout_secs = timeout_secs.ok_or_else(|| {
        props.invalid(format_args!("Property Timeout must be from 0 to {} seconds.", limits::TIMEOUT_SECS))
    })?;
    let count = props.read::<Option<usize>>("Count")?.unwrap_or(1);
    if count > limits::OF_A_HANDLE {
        return Err(AwsError::not_supported(format_args!("A wait condition with a Count of {count}"))
            .hint(format_args!("Use at most {}.", limits::OF_A_HANDLE)));
    }
    let stack = props.stack_tags.iter().find(|tag| tag.key == "aws:cloudformation:stack-id");
    let stack = stack.map_or(props.stack_name, |tag| &tag.value);
    // The random part makes a replacement another resource.
    let id = format!("{stack}/{}/{}", props.logical_id, ids::random_hex(8));
    let until = cx.now.plus_ms(i64::from(timeout_secs) * 1000);
    let condition = WaitCondition {
        id: id.as_str().into(),
        handle: handle.id,
        count,
        timeout_secs,
        until,
        timed_out: false,
    };
    cx.tx.put(condition);
    Ok(Created::new(id))
}

fn delete_condition(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    cx.tx.delete::<WaitCondition>(&created.physical_id);
    Ok(())
}

fn read_condition(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    let Some(condition) = cx.tx.get::<WaitCondition>(&created.physical_id) else { return Ok(None) };
    let Some(handle) = cx.tx.get::<WaitHandle>(&condition.handle) else { return Ok(None) };
    let read = json!({
        "Handle": url(cx.config, &handle), "Timeout": condition.timeout_secs.to_string(), "Count": condition.count,
    });
    Ok(read.as_object().cloned())
}

/// "Updates are not supported", says AWS's page of the type.
fn not_updatable(props: &Props<'_>) -> AwsError {
    props.invalid(
        "Update to resource type AWS::CloudFormation::WaitCondition is not supported. To wait again, give the condition and its \
         handle new logical IDs.",
    )
}

/// The time at which `timeout.rs` ends the wait.
fn within(image: &Image, created: &Created) -> Option<Timestamp> {
    image.get::<WaitCondition>(&created.physical_id).map(|condition| condition.until)
}

fn ready(image: &Image, created: &Created) -> Readiness {
    let Some(condition) = image.get::<WaitCondition>(&created.physical_id) else {
        return Readiness::Failed("the wait condition does not exist".into());
    };
    let Some(handle) = image.get::<WaitHandle>(&condition.handle) else {
        return Readiness::Failed("the handle of the wait condition does not exist".into());
    };
    if let Some(failure) = handle.signals.iter().find(|s| s.status == SignalStatus::Failure) {
        let reason = failure.reason.as_deref().unwrap_or_default();
        return Readiness::Failed(format!(
            "WaitCondition received failed message: '{reason}' for uniqueId: {}",
            failure.id
        ));
    }
    let (received, count) = (handle.signals.len(), condition.count);
    if received >= count {
        let data: Map<String, Value> = handle
            .signals
            .iter()
            .map(|s| (s.id.to_string(), s.data.clone().unwrap_or_else(|| Value::from(""))))
            .collect();
        let text = Value::Object(data).to_string();
        return Readiness::Ready(BTreeMap::from([("Data".to_owned(), text.into())]));
    }
    if condition.timed_out {
        return Readiness::Failed(format!(
            "WaitCondition timed out. Received {received} conditions when expecting {count}"
        ));
    }
    Readiness::Pending(format!("{received} of {count} signals were received"))
}
