//! Calls of other services' operations from outside a transaction, as ECS itself or as a role.

use escale_base::{AwsError, wire::Value};
use escale_service::{Body, Caller, Cloud, Kind, Principal, StreamCx};
use escale_store::{Image, Store};
use escale_tables::iam::Role;
use http_body_util::{BodyExt, Empty};
use std::sync::Arc;

pub(crate) const ECS: &str = "ecs.amazonaws.com";
/// Under this name a task's role is assumed.
pub(crate) const ECS_TASKS: &str = "ecs-tasks.amazonaws.com";

/// Calls an operation, whether it moves bytes or not; none of those called here has a body.
pub(crate) async fn call(
    cloud: &Arc<Cloud>,
    store: &Store,
    caller: &Caller,
    service: &str,
    operation: &str,
    input: Value,
) -> Result<Value, AwsError> {
    let handler = match cloud.entry(service, operation).map(|e| &e.kind) {
        Some(Kind::Stream(handler)) => Arc::clone(handler),
        _ => return cloud.call(store, caller, service, operation, input),
    };
    let cx = StreamCx {
        store: store.clone(),
        cloud: Arc::clone(cloud),
        caller: caller.clone(),
        config: Arc::clone(&cloud.config),
        now: cloud.clock.now(),
        headers: http::HeaderMap::new(),
    };
    let needs = handler.needs(&input, &cx)?;
    if let Some(entry) = cloud.entry(service, operation) {
        cloud.authorize(&store.read(), caller, service, entry, &input, &needs)?;
    }
    let body: Body = Empty::new().map_err(|e| match e {}).boxed_unsync();
    Ok(handler.run(cx, input, body).await?.output)
}

/// Somebody who acts under a role, as a task's start does under its execution role.
pub(crate) fn as_role(image: &Image, role_arn: &str, session: &str) -> Result<Caller, String> {
    let name = crate::rules::last_part(role_arn);
    let role = image.get::<Role>(name).ok_or_else(|| {
        format!("ECS was unable to assume the role '{role_arn}' that was provided for this task: it does not exist")
    })?;
    let principal =
        Principal::Role { name: role.name.clone(), session: session.to_owned(), role_id: role.id.clone() };
    Ok(Caller { principal, ..Caller::service(ECS_TASKS) })
}
