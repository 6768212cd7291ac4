//! A user of the cloud. Calls operations as the gate does after it has authenticated a caller.

use escale_base::{AwsError, wire::Value};
use escale_service::{Body, Caller, Cloud, Kind, Principal, StreamCx};
use escale_store::Store;
use http_body_util::{BodyExt, Empty};
use std::sync::Arc;

/// The account's root.
pub(crate) struct Client {
    pub(crate) store: Store,
    pub(crate) cloud: Arc<Cloud>,
}

impl Client {
    pub(crate) async fn call(&self, service: &str, operation: &str, input: Value) -> Result<Value, AwsError> {
        let caller = Caller { principal: Principal::Root, ..Caller::service("root") };
        let handler = match self.cloud.entry(service, operation).map(|e| &e.kind) {
            Some(Kind::Stream(handler)) => Arc::clone(handler),
            _ => return self.cloud.call(&self.store, &caller, service, operation, input),
        };
        let cx = StreamCx {
            store: self.store.clone(),
            cloud: Arc::clone(&self.cloud),
            caller,
            config: Arc::clone(&self.cloud.config),
            now: self.cloud.clock.now(),
            headers: http::HeaderMap::new(),
        };
        let body: Body = Empty::new().map_err(|e| match e {}).boxed_unsync();
        Ok(handler.run(cx, input, body).await?.output)
    }
}
