//! Operations whose payload is a stream of bytes, or whose answer comes from a plane.

use crate::{Also, Caller, Cloud, Config, Entry, Kind, Needs, operation};
use bytes::Bytes;
use escale_base::{
    AwsError, Timestamp,
    wire::{Value, Wire},
};
use escale_store::Store;
use http_body_util::combinators::UnsyncBoxBody;
use std::{future::Future, pin::Pin, sync::Arc};

/// The body of a request or an answer. Errors end the connection; a faulty request body (a bad signature, a wrong
/// checksum) ends with an [`AwsError`] inside of the error.
pub type Body = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// The context of a stream operation. It has no transaction, since the operation waits; it opens short ones on `store`.
#[derive(Clone)]
pub struct StreamCx {
    pub store: Store,
    pub cloud: Arc<Cloud>,
    pub caller: Caller,
    pub config: Arc<Config>,
    pub now: Timestamp,
    /// Request headers, for preconditions and others that the model does not have.
    pub headers: http::HeaderMap,
}

/// An answer with its modelled members and, for streaming outputs, the bytes.
pub struct StreamReply<O> {
    pub output: O,
    pub body: Option<Body>,
    /// The status, if it differs from the model's: 206 for a range, 304 for a precondition.
    pub status: Option<u16>,
}

impl<O> From<O> for StreamReply<O> {
    fn from(output: O) -> Self {
        StreamReply { output, body: None, status: None }
    }
}

/// One AWS operation that streams bytes. `S` is the service, which has the plane.
pub trait StreamOperation<S>: 'static {
    type Input: Wire + Send;
    type Output: Wire + Send;
    type Error: Into<AwsError>;

    /// As [`crate::Operation::resources`].
    fn resources(_input: &Self::Input, _cx: &StreamCx) -> Vec<String> {
        Vec::new()
    }

    /// The action instead of the operation's own, if the input decides.
    fn action(_input: &Self::Input) -> Option<&'static str> {
        None
    }

    /// As [`crate::Operation::keys`].
    fn keys(_input: &Self::Input) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// As [`crate::Operation::also`].
    fn also(_input: &Self::Input, _cx: &StreamCx) -> Vec<Also> {
        Vec::new()
    }

    fn run(
        service: Arc<S>,
        cx: StreamCx,
        input: Self::Input,
        body: Body,
    ) -> impl Future<Output = Result<StreamReply<Self::Output>, Self::Error>> + Send;
}

type Answer = Pin<Box<dyn Future<Output = Result<StreamReply<Value>, AwsError>> + Send>>;

/// A stream operation without its types.
pub trait StreamHandler: Send + Sync {
    fn needs(&self, input: &Value, cx: &StreamCx) -> Result<Needs, AwsError>;
    fn run(&self, cx: StreamCx, input: Value, body: Body) -> Answer;
}

struct Bound<S, O> {
    service: Arc<S>,
    operation: std::marker::PhantomData<fn() -> O>,
}

impl<S: Send + Sync + 'static, O: StreamOperation<S>> StreamHandler for Bound<S, O> {
    fn needs(&self, input: &Value, cx: &StreamCx) -> Result<Needs, AwsError> {
        let input = operation::read::<O::Input>(input)?;
        let (action, resources) = (O::action(&input), O::resources(&input, cx));
        Ok(Needs { action, resources, keys: O::keys(&input), also: O::also(&input, cx) })
    }

    fn run(&self, cx: StreamCx, input: Value, body: Body) -> Answer {
        let service = Arc::clone(&self.service);
        Box::pin(async move {
            let typed = operation::read::<O::Input>(&input)?;
            let reply = O::run(service, cx, typed, body).await.map_err(Into::into)?;
            Ok(StreamReply { output: reply.output.write(), body: reply.body, status: reply.status })
        })
    }
}

impl Entry {
    pub fn stream<S: Send + Sync + 'static, O: StreamOperation<S>>(
        name: &'static str,
        service: &Arc<S>,
    ) -> Entry {
        Entry {
            name,
            action: None,
            input: O::Input::FIELDS,
            output: O::Output::FIELDS,
            kind: Kind::Stream(Arc::new(Bound::<S, O> {
                service: Arc::clone(service),
                operation: std::marker::PhantomData,
            })),
        }
    }
}

/// The list of a service's stream operations, in the folder `streams/`; the counterpart of
/// [`operations!`](crate::operations).
#[macro_export]
macro_rules! streams {
    ($service:ty; $($name:ident => $module:ident $(as $action:literal)?),* $(,)?) => {
        $(mod $module;)*
        pub(crate) fn all(service: &::std::sync::Arc<$service>) -> Vec<$crate::Entry> {
            vec![$($crate::Entry::stream::<$service, $module::$name>(stringify!($name), service)$(.action($action))?),*]
        }
    };
}
