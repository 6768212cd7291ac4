//! Typed calls of operations from code.

use crate::{Body, Caller, Cloud, Cx, Kind, Operation, Source, StreamCx};
use escale_base::{
    AwsError,
    wire::{Value, Wire},
};
use escale_store::Store;
use http_body_util::{BodyExt, Empty};
use std::sync::Arc;

/// The input of another service's operation, with the members that its caller uses.
pub trait Request: Wire {
    /// The service's id: `ec2`.
    const SERVICE: &'static str;
    const NAME: &'static str;
    /// The part of the answer that the caller reads. A missing member is an internal error.
    type Answer: Wire;
}

/// An operation with its name; [`operations!`](crate::operations) implements this for each line of a service's list.
pub trait Named: Operation {
    const SERVICE: &'static str;
    const NAME: &'static str;
}

impl Cx<'_> {
    /// Calls another service's operation as the same caller, in the same transaction: IAM decides as if the
    /// client had sent it. Its failure leaves this transaction as it was before the call.
    pub fn call<R: Request>(&mut self, request: R) -> Result<R::Answer, AwsError> {
        self.call_for(self.caller, request)
    }

    /// The same as the service principal `name`, as AWS does through a service-linked role.
    pub fn call_as<R: Request>(&mut self, name: &str, request: R) -> Result<R::Answer, AwsError> {
        self.call_for(&Caller::service(name), request)
    }

    /// Runs `work` in this transaction with the caller's permissions, but as calls of the daemon itself: they cross no network,
    /// and policies that require TLS of clients do not deny them.
    pub fn on_behalf<T>(
        &mut self,
        work: impl FnOnce(&mut Cx<'_>) -> Result<T, AwsError>,
    ) -> Result<T, AwsError> {
        let caller = Caller { source: Source::DAEMON, ..self.caller.clone() };
        self.nested(&caller, work)
    }

    /// As [`Cx::call`], for an operation of the same service.
    pub fn call_own<O: Named>(&mut self, input: O::Input) -> Result<O::Output, AwsError> {
        let (cloud, caller) = (self.cloud, self.caller);
        self.nested(caller, |cx| cloud.run_typed::<O>(cx, input))
    }

    /// The same as another caller, for example a role that the service has assumed.
    pub fn call_for<R: Request>(&mut self, caller: &Caller, request: R) -> Result<R::Answer, AwsError> {
        let cloud = self.cloud;
        let answer = self.nested(caller, |cx| cloud.run(cx, R::SERVICE, R::NAME, request.write()))?;
        read_answer::<R>(&answer)
    }

    fn nested<T>(
        &mut self,
        caller: &Caller,
        work: impl FnOnce(&mut Cx<'_>) -> Result<T, AwsError>,
    ) -> Result<T, AwsError> {
        let (cloud, config, now) = (self.cloud, self.config, self.now);
        self.tx.nested(|tx| work(&mut Cx { tx, caller, config, now, cloud }))
    }
}

/// Calls an operation outside of a transaction. A stream operation gets an empty body.
pub async fn request<R: Request>(
    cloud: &Arc<Cloud>,
    store: &Store,
    caller: &Caller,
    request: R,
) -> Result<R::Answer, AwsError> {
    let body: Body = Empty::new().map_err(|e| match e {}).boxed_unsync();
    request_with_body(cloud, store, caller, request, body).await
}

/// The same, with the body for a stream operation.
pub async fn request_with_body<R: Request>(
    cloud: &Arc<Cloud>,
    store: &Store,
    caller: &Caller,
    request: R,
    body: Body,
) -> Result<R::Answer, AwsError> {
    let (entry, input) = (cloud.entry(R::SERVICE, R::NAME), request.write());
    let Some((entry, Kind::Stream(handler))) = entry.map(|e| (e, &e.kind)) else {
        return read_answer::<R>(&cloud.call(store, caller, R::SERVICE, R::NAME, input)?);
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
    cloud.authorize(&store.read(), caller, R::SERVICE, entry, &input, &needs)?;
    read_answer::<R>(&handler.run(cx, input, body).await?.output)
}

/// The answer itself is not logged, since it may hold a secret.
fn read_answer<R: Request>(answer: &Value) -> Result<R::Answer, AwsError> {
    R::Answer::read(answer).map_err(|error| {
        tracing::error!(
            service = R::SERVICE,
            operation = R::NAME,
            %error,
            "the operation's answer does not have the members that the caller reads"
        );
        AwsError::internal()
    })
}
