//! One request, from its head to its answer.

use crate::{
    Gate,
    body::{collect, full, verified},
};
use bytes::Bytes;
use escale_base::{AwsError, ids, limits, wire::Value};
use escale_model::Operation;
use escale_service::{
    Body, Caller, Credential, Entry, Kind, Principal, StreamCx, StreamHandler, StreamReply,
};
use escale_wire::{
    Target,
    sigv4::{Authentication, BodyReader, Claim, Payload},
};
use http::{Request, Response, request::Parts};
use std::{net::SocketAddr, sync::Arc};

/// Answers any request: whatever goes wrong becomes an error in the form of the service that was meant.
pub(crate) async fn answer(gate: &Gate, request: Request<Body>, peer: SocketAddr) -> Response<Body> {
    let (parts, body) = request.into_parts();
    if let Some(mount) = gate.mounts.iter().find(|m| m.claims(&parts)) {
        return mount.serve(Request::from_parts(parts, body), peer).await;
    }
    let request_id = ids::random_uuid();
    let streams = escale_wire::identify(&parts, &[]).ok().is_some_and(|target| {
        escale_wire::operation(&target, &parts, &[]).is_ok_and(|o| o.streams_in().is_some())
    });
    let body = if streams {
        Incoming::Stream(body)
    } else {
        match collect(body, limits::OPERATION_BODY_BYTES).await {
            Ok(whole) => Incoming::Whole(whole),
            Err(error) => return unidentified(&parts, &error, &request_id),
        }
    };
    let target = match escale_wire::identify(&parts, body.seen()) {
        Ok(target) => target,
        Err(error) => return unidentified(&parts, &error, &request_id),
    };
    let call = Call { gate, target: &target, parts: &parts, request_id: &request_id, peer };
    match call.run(body).await {
        Ok(response) => response,
        Err(error) => call.fail(error),
    }
}

fn unidentified(parts: &Parts, error: &AwsError, request_id: &str) -> Response<Body> {
    escale_wire::encode_unidentified(parts, error, request_id).map(full)
}

enum Incoming {
    Whole(Bytes),
    Stream(Body),
}

impl Incoming {
    fn seen(&self) -> &[u8] {
        match self {
            Incoming::Whole(bytes) => bytes,
            Incoming::Stream(_) => &[],
        }
    }
}

/// What is known of a request once its service is.
struct Call<'a> {
    gate: &'a Gate,
    target: &'a Target,
    parts: &'a Parts,
    request_id: &'a str,
    peer: SocketAddr,
}

impl Call<'_> {
    async fn run(&self, body: Incoming) -> Result<Response<Body>, AwsError> {
        let whole = match &body {
            Incoming::Whole(bytes) => Some(&bytes[..]),
            Incoming::Stream(_) => None,
        };
        let (caller, payload) = self.authenticate(whole)?;
        let (decoded, body) = match body {
            Incoming::Whole(bytes) => {
                let (bytes, _) = BodyReader::read_all(&payload, &self.parts.headers, bytes)?;
                (bytes, full(Bytes::new()))
            }
            Incoming::Stream(stream) => {
                let reader = BodyReader::new(&payload, &self.parts.headers)?;
                (Bytes::new(), verified(stream, reader))
            }
        };
        let request = escale_wire::decode(self.target, self.parts, &decoded)?;
        let operation = request.operation;
        if matches!(caller.principal, Principal::Anonymous) && !self.takes_anonymous(operation) {
            return Err(escale_wire::missing_authentication(self.target));
        }
        let service = self.target.service.id;
        let entry = self.gate.cloud.entry(service, &operation.name).ok_or_else(|| {
            AwsError::not_supported(format_args!("The operation {service}:{}", operation.name))
        })?;
        escale_wire::validate(self.target, operation, &request.input)?;
        match &entry.kind {
            Kind::Sync(_) => {
                let cloud = &self.gate.cloud;
                let output =
                    cloud.call(&self.gate.store, &caller, service, &operation.name, request.input)?;
                self.check_output(operation, &output)?;
                Ok(escale_wire::encode_output(self.target, operation, &output, self.request_id).map(full))
            }
            Kind::Stream(handler) => {
                self.stream(operation, entry, handler, caller, request.input, body).await
            }
        }
    }

    /// Who sent it, and what its body must be.
    fn authenticate(&self, whole: Option<&[u8]>) -> Result<(Caller, Payload), AwsError> {
        let gate = self.gate;
        let now = gate.cloud.clock.now();
        let mut principal = Principal::Anonymous;
        let mut in_session = false;
        let secret_of = |claim: &Claim| {
            let image = gate.store.read();
            let unknown = || escale_wire::unknown_access_key(self.target, &claim.access_key);
            let found = gate.cloud.credential(&image, &claim.access_key).ok_or_else(unknown)?;
            let Credential { principal: who, secret, session_token, expires } = found;
            if session_token.as_ref().map(|t| t.reveal()) != claim.session_token.as_ref() {
                return Err(unknown());
            }
            if expires.is_some_and(|at| at < now) {
                let message = "The security token included in the request is expired";
                return Err(AwsError::new("ExpiredToken", 403, message));
            }
            principal = who;
            in_session = session_token.is_some();
            Ok(secret)
        };
        let proven = gate.verifier.authenticate(self.target, self.parts, whole, now, secret_of)?;
        let payload = match proven {
            Some(proven) => {
                self.check_region(&proven)?;
                proven.payload
            }
            None => Payload::anonymous(&self.parts.headers),
        };
        let host = self.parts.headers.get("host").and_then(|h| h.to_str().ok()).unwrap_or_default();
        let caller = Caller {
            principal,
            in_session,
            request_id: self.request_id.to_owned(),
            source_ip: Some(self.peer.ip()),
            host: host.to_owned(),
        };
        Ok((caller, payload))
    }

    /// This cloud is one region. A client set to another one would look for its resources in vain: it is told.
    fn check_region(&self, proven: &Authentication) -> Result<(), AwsError> {
        let ours = &self.gate.cloud.config.region;
        let service = self.target.service.id;
        let global = self.gate.cloud.service(service).is_none_or(|s| s.global());
        if global || proven.region == *ours {
            return Ok(());
        }
        let theirs = &proven.region;
        Err(match service {
            "s3" => {
                let message = format!(
                    "The authorization header is malformed; the region '{theirs}' is wrong; expecting '{ours}'"
                );
                AwsError::new("AuthorizationHeaderMalformed", 400, message).with("Region", ours.as_str())
            }
            _ => {
                let message = format!(
                    "Credential should be scoped to a valid region: this cloud is {ours}, not {theirs}."
                );
                AwsError::new("SignatureDoesNotMatch", 403, message)
            }
        })
    }

    /// Only a resource policy can allow it then; operations that make credentials take it as it is.
    fn takes_anonymous(&self, operation: &Operation) -> bool {
        operation.anonymous || self.target.service.id == "s3"
    }

    #[allow(clippy::too_many_arguments)] // what was found out about the request on its way here
    async fn stream(
        &self,
        operation: &Operation,
        entry: &Entry,
        handler: &Arc<dyn StreamHandler>,
        caller: Caller,
        input: Value,
        body: Body,
    ) -> Result<Response<Body>, AwsError> {
        let cloud = &self.gate.cloud;
        let service = self.target.service.id;
        let cx = StreamCx {
            store: self.gate.store.clone(),
            cloud: Arc::clone(cloud),
            caller,
            config: Arc::clone(&cloud.config),
            now: cloud.clock.now(),
            headers: self.parts.headers.clone(),
        };
        let needs = handler.needs(&input, &cx)?;
        let image = self.gate.store.read();
        cloud.authorize(&image, &cx.caller, service, entry, &input, &needs)?;
        drop(image);
        let StreamReply { output, body, status } = handler.run(cx, input, body).await?;
        self.check_output(operation, &output)?;
        let mut response = match body {
            Some(body) => {
                escale_wire::encode_head(self.target, operation, &output, self.request_id).map(|()| body)
            }
            None => escale_wire::encode_output(self.target, operation, &output, self.request_id).map(full),
        };
        if let Some(status) = status.and_then(|s| http::StatusCode::from_u16(s).ok()) {
            *response.status_mut() = status;
        }
        Ok(response)
    }

    /// In debug builds an answer with a member that the model does not have is a fault: tests find it.
    fn check_output(&self, operation: &Operation, output: &Value) -> Result<(), AwsError> {
        if !cfg!(debug_assertions) {
            return Ok(());
        }
        match escale_wire::check_output(self.target.service, operation, output).as_slice() {
            [] => Ok(()),
            faults => {
                tracing::error!(operation = operation.name, ?faults, "an answer is not as the model says");
                Err(AwsError::internal())
            }
        }
    }

    fn fail(&self, error: AwsError) -> Response<Body> {
        let error = match error.code.as_str() {
            "AccessDenied" => escale_wire::access_denied(self.target, error.message),
            _ => error,
        };
        let service = self.target.service.id;
        if error.status >= 500 {
            tracing::warn!(service, request_id = self.request_id, %error, "refused");
        } else {
            tracing::debug!(service, request_id = self.request_id, %error, "refused");
        }
        escale_wire::encode_error(self.target, &error, self.request_id, self.parts.uri.path()).map(full)
    }
}
