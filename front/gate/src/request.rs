//! One request, from its head to its answer: checks of the head alone, then the body, then the operation.
//!
//! No byte of a body is read before the head has named an existing key, or an operation that accepts unsigned requests. No
//! byte is decoded before the signature is verified.

use crate::{
    Gate,
    body::{Arriving, Collected, full, verified},
    cross_origin, head,
    trace::Trace,
    web_pages::{self, Purpose},
};
use bytes::Bytes;
use escale_base::{AwsError, ErrorKind, Timestamp, ids, limits::request as limits, wire::Value};
use escale_model::Operation;
use escale_service::{
    Arrival, Body, Caller, Credential, CrossOriginGrant, Entry, Kind, Principal, Served, StreamCx,
    StreamHandler, StreamReply, counted, is_preflight,
};
use escale_wire::{
    Target,
    sigv4::{self, BodyReader, Claim, Payload, Unproven},
};
use http::{Method, Request, Response, request::Parts};
use std::{net::SocketAddr, sync::Arc};

/// Both ends of the connection that a request came on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    pub(crate) arrival: Arrival,
    pub(crate) local: SocketAddr,
}

/// Answers any request. A failure becomes an error in the form of the service that the client called.
pub(crate) async fn answer(gate: Arc<Gate>, request: Request<Body>, ends: Ends) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let mut arriving = Arriving::new(body, &parts.headers);
    let request_id = ids::random_uuid();
    let checked = head::check(&parts)
        .and_then(|()| web_pages::check_host(&parts, &ends, &gate.cloud.config).map(str::to_owned));
    let authority = match checked {
        Ok(authority) => authority,
        Err(error) => return unidentified(&parts, &error, &request_id),
    };
    // A mount authenticates its callers itself, but web pages are refused for it here.
    if let Some(mount) = gate.mounts.iter().find(|m| m.claims(&parts)) {
        let purpose = if mount.has_own_proof() { Purpose::Presigned } else { Purpose::Other };
        return match web_pages::check_page(&parts, (ends.arrival.scheme(), &authority), purpose) {
            Ok(()) => mount.serve(Request::from_parts(parts, arriving.stream()), ends.arrival).await,
            Err(error) => unidentified(&parts, &error, &request_id),
        };
    }
    let started = gate.cloud.clock.now();
    let (target, form) = match identify(&gate, &parts, &mut arriving).await {
        Ok(found) => found,
        Err(error) => return unidentified(&parts, &error, &request_id),
    };
    let (arrival, trace) = (ends.arrival, Trace::default());
    let grant = cross_origin::grant(&gate, &target, &parts);
    let call = Arc::new(Call { gate, target, parts, authority, request_id, arrival, grant, trace });
    let result = call.run(arriving, form).await;
    let answered = (&call.request_id[..], arrival);
    call.trace.record(&call.gate, &call.target, &call.parts, answered, result.as_ref().err());
    let code = result.as_ref().err().map(|error| error.code.clone());
    let mut response = result.unwrap_or_else(|error| call.fail(error));
    if let Some(grant) = &call.grant {
        grant.allow(response.headers_mut(), &call.parts.method, &call.parts.headers);
    }
    call.log(response, started, code.as_deref())
}

/// The answer to a request whose head the guard refused with `status`.
pub(crate) fn refuse_head(parts: &Parts, status: u16) -> Response<Body> {
    let why = match status {
        405 => "The methods CONNECT and TRACE are not a part of AWS's API.",
        414 => "The request's target is too long.",
        501 => "The only Transfer-Encoding that a request may have is chunked.",
        505 => "Send the request in HTTP/1.0, HTTP/1.1 or HTTP/2.",
        _ => {
            "The request's head breaks HTTP's syntax (RFC 9112), can be read in more than one way, or is too long. Send one \
             Host header, either Content-Length or Transfer-Encoding, and no bare line feeds."
        }
    };
    let error = AwsError::new(ErrorKind::Invalid, "InvalidRequest", status, why);
    unidentified(parts, &error, &ids::random_uuid())
}

fn unidentified(parts: &Parts, error: &AwsError, request_id: &str) -> Response<Body> {
    escale_wire::encode_unidentified(parts, error, request_id).map(full)
}

/// The target, from the head. Only for an unsigned form must the body be read first: nothing else names the service. It is
/// read within the small limit of unsigned requests.
async fn identify(
    gate: &Gate,
    parts: &Parts,
    arriving: &mut Arriving,
) -> Result<(Target, Option<Collected>), AwsError> {
    let form = parts.method == Method::POST && escale_wire::is_form(&parts.headers);
    if !form || sigv4::scope_service(parts).is_some() {
        return Ok((escale_wire::identify(parts, &[])?, None));
    }
    let declared = head::declared_bytes(parts);
    // A body beyond that limit belongs to an operation that requires a signature, so the missing signature is the error.
    let unsigned = |_| {
        let message = "Request is missing Authentication Token";
        AwsError::new(ErrorKind::Denied, "MissingAuthenticationToken", 403, message)
    };
    let form = arriving.collect(&gate.budget.share(false, declared), declared).await.map_err(unsigned)?;
    Ok((escale_wire::identify(parts, &form.bytes)?, Some(form)))
}

/// A request whose service is known.
struct Call {
    gate: Arc<Gate>,
    target: Target,
    parts: Parts,
    /// Host and port as the client named them.
    authority: String,
    request_id: String,
    arrival: Arrival,
    /// The permission of the web page that made this request.
    grant: Option<CrossOriginGrant>,
    trace: Trace,
}

/// The sender according to the head; nothing is proven yet.
struct Claimant {
    principal: Principal,
    in_session: bool,
    access_key: Option<String>,
    /// As in [`Caller`].
    region: Option<&'static str>,
}

/// The state of the signature: verified, or not verifiable without the body.
enum Proof {
    Done(Payload),
    NeedsBody(Unproven),
}

impl Call {
    async fn run(
        self: &Arc<Self>,
        arriving: Arriving,
        form: Option<Collected>,
    ) -> Result<Response<Body>, AwsError> {
        if self.grant.is_some() && is_preflight(&self.parts.method, &self.parts.headers) {
            return Ok(cross_origin::preflight());
        }
        let seen = form.as_ref().map_or(&[][..], |form| &form.bytes);
        // The query protocols name the operation in the body. This is an error then, unless the body is read already.
        let operation = escale_wire::operation(&self.target, &self.parts, seen);
        self.check_page(operation.as_ref().ok().copied())?;
        let (claimant, unproven) = self.examine()?;
        let signed = unproven.is_some();
        if !signed && !operation.as_ref().is_ok_and(|o| self.takes_anonymous(o)) {
            // S3 reports an unknown operation to unsigned requests, too.
            let unknown = operation.err().filter(|_| self.target.service.id == "s3");
            return Err(unknown.unwrap_or_else(|| escale_wire::missing_authentication(&self.target)));
        }
        let proof = match unproven {
            None => Proof::Done(Payload::anonymous(&self.parts.headers)),
            Some(unproven) if unproven.needs_no_body(&self.parts) => {
                Proof::Done(unproven.prove(&self.target, &self.parts, None)?.payload)
            }
            Some(unproven) => Proof::NeedsBody(unproven),
        };
        match (operation.ok().and_then(Operation::streams_in), proof) {
            (Some(_), Proof::Done(payload)) => self.run_stream(claimant, &payload, arriving).await,
            (_, proof) => self.run_whole(claimant, signed, proof, arriving, form).await,
        }
    }

    /// Runs an operation that reads its body as a stream.
    async fn run_stream(
        &self,
        claimant: Claimant,
        payload: &Payload,
        arriving: Arriving,
    ) -> Result<Response<Body>, AwsError> {
        // The body is the streamed member, so the head has all other members of the input.
        let request = escale_wire::decode(&self.target, &self.parts, &[])?;
        let caller = self.caller(claimant, request.operation)?;
        self.check_input(&request)?;
        let reader = BodyReader::new(payload, &self.parts.headers)?;
        let body = || verified(arriving.stream(), reader);
        self.perform(caller, request, body).await
    }

    /// Runs an operation whose body is a part of its input.
    async fn run_whole(
        self: &Arc<Self>,
        claimant: Claimant,
        signed: bool,
        proof: Proof,
        mut arriving: Arriving,
        form: Option<Collected>,
    ) -> Result<Response<Body>, AwsError> {
        let collected = match form {
            Some(form) => form,
            None => {
                let declared = head::declared_bytes(&self.parts);
                let share = self.gate.budget.share(signed, declared);
                let collected = arriving.collect(&share, declared).await;
                collected.map_err(|refused| refused.into_error(&self.target))?
            }
        };
        let bytes = collected.bytes.clone();
        // A small compressed body can inflate to a large one, so it is decoded like a large one.
        let compressed = self.parts.headers.contains_key(http::header::CONTENT_ENCODING) && !bytes.is_empty();
        let (caller, request) = if compressed || bytes.len() > limits::SMALL_BODY_BYTES {
            let call = Arc::clone(self);
            let decoded = self.gate.decoders.run(move || call.decode(claimant, proof, bytes)).await;
            decoded.ok_or_else(AwsError::internal)??
        } else {
            self.decode(claimant, proof, bytes)?
        };
        // Checked again, with the operation that was decoded: two readers of one request must not disagree about this.
        if matches!(caller.principal, Principal::Anonymous) && !self.takes_anonymous(request.operation) {
            return Err(escale_wire::missing_authentication(&self.target));
        }
        let response = self.perform(caller, request, || full(Bytes::new())).await;
        drop(collected);
        response
    }

    /// The caller, the operation and its input, after the signature is verified against the body.
    fn decode(
        &self,
        claimant: Claimant,
        proof: Proof,
        body: Bytes,
    ) -> Result<(Caller, escale_wire::Request), AwsError> {
        let payload = match proof {
            Proof::Done(payload) => payload,
            Proof::NeedsBody(unproven) => unproven.prove(&self.target, &self.parts, Some(&body))?.payload,
        };
        let headers = escale_wire::body_headers(&self.target, &self.parts);
        let (body, _) = BodyReader::read_all(&payload, &headers, body)?;
        let request = escale_wire::decode(&self.target, &self.parts, &body)?;
        let caller = self.caller(claimant, request.operation)?;
        self.check_input(&request)?;
        Ok((caller, request))
    }

    /// Refuses an operation that Escale does not have by its name, whatever its input is; then validates the input.
    fn check_input(&self, request: &escale_wire::Request) -> Result<(), AwsError> {
        self.entry(request.operation)?;
        escale_wire::validate(&self.target, request.operation, &request.input)
    }

    /// Lets the service note the request in an access log.
    fn log(&self, response: Response<Body>, started: Timestamp, code: Option<&str>) -> Response<Body> {
        let cloud = &self.gate.cloud;
        let Some(service) = cloud.service(self.target.service.id) else { return response };
        let served = Served {
            request: &self.parts,
            path: &self.target.path,
            request_id: &self.request_id,
            arrival: self.arrival,
            principal: self.trace.principal(),
            status: response.status().as_u16(),
            error_code: code,
            headers: response.headers(),
            started,
            answered: cloud.clock.now(),
        };
        match service.served(&self.gate.store.read(), &cloud.config, &served) {
            Some(done) => response.map(|body| counted(body, done, cloud.clock.clone())),
            None => response,
        }
    }

    fn entry(&self, operation: &Operation) -> Result<&Entry, AwsError> {
        let service = self.target.service.id;
        let missing = || AwsError::no_operation(service, &operation.name);
        self.gate.cloud.entry(service, &operation.name).ok_or_else(missing)
    }

    /// The caller. The signature is verified and the operation known here: only now may the record of calls name them.
    fn caller(&self, claimant: Claimant, operation: &Operation) -> Result<Caller, AwsError> {
        let Claimant { principal, in_session, access_key, region } = claimant;
        let (request_id, host) = (self.request_id.clone(), self.authority.clone());
        let caller = Caller::arriving(principal, in_session, request_id, self.arrival, host);
        let caller = caller.map(|caller| Caller { region, ..caller });
        self.trace.operation(&operation.name);
        match &caller {
            Ok(caller) => self.trace.caller(caller, access_key),
            Err(_) => self.trace.refused_root(in_session, access_key),
        }
        Ok(caller?)
    }

    async fn perform(
        &self,
        caller: Caller,
        request: escale_wire::Request,
        body: impl FnOnce() -> Body,
    ) -> Result<Response<Body>, AwsError> {
        let operation = request.operation;
        let service = self.target.service.id;
        let entry = self.entry(operation)?;
        match &entry.kind {
            Kind::Sync(_) => {
                let cloud = &self.gate.cloud;
                let output =
                    cloud.call(&self.gate.store, &caller, service, &operation.name, request.input)?;
                self.check_output(operation, &output)?;
                Ok(escale_wire::encode_output(&self.target, operation, &output, &self.request_id).map(full))
            }
            Kind::Stream(handler) => {
                self.stream(operation, entry, handler, caller, request.input, body).await
            }
        }
    }

    /// The claimed sender, checked as far as the head alone allows.
    fn examine(&self) -> Result<(Claimant, Option<Unproven>), AwsError> {
        let gate = &self.gate;
        let now = gate.cloud.clock.now();
        let mut principal = Principal::Anonymous;
        let mut in_session = false;
        let secret_of = |claim: &Claim| {
            let image = gate.store.read();
            let unknown = || escale_wire::unknown_access_key(&self.target, &claim.access_key);
            let found = gate.cloud.credential(&image, &claim.access_key).ok_or_else(unknown)?;
            let Credential { principal: who, secret, session_token, expires } = found;
            // A wrong token gets the error of an unknown key, as AWS does.
            if session_token.as_ref().map(|t| t.reveal()) != claim.session_token.as_ref() {
                return Err(unknown());
            }
            if expires.is_some_and(|at| at < now) {
                let message = "The security token included in the request is expired";
                return Err(AwsError::new(ErrorKind::Denied, "ExpiredToken", 403, message));
            }
            principal = who;
            in_session = session_token.is_some();
            Ok(secret)
        };
        let unproven = gate.verifier.examine(&self.target, &self.parts, now, secret_of)?;
        let region = match &unproven {
            Some(unproven) => self.region(&unproven.claim().region)?,
            None => None,
        };
        let access_key = unproven.as_ref().map(|u| u.claim().access_key.clone());
        Ok((Claimant { principal, in_session, access_key, region }, unproven))
    }

    /// A page of another origin may read only objects that a policy or a presigned URL allows, unless CORS rules give it
    /// more. A distribution's request on
    /// behalf of such a page is the distribution's own: it is signed with a key that no page has.
    fn check_page(&self, operation: Option<&Operation>) -> Result<(), AwsError> {
        let s3 = self.target.service.id == "s3";
        let presigned = || escale_wire::query_pairs(&self.parts).iter().any(|(k, _)| k == "X-Amz-Signature");
        let purpose = match operation.map(|o| o.name.as_str()) {
            Some("GetObject" | "HeadObject") if s3 => Purpose::ObjectRead,
            _ if presigned() => Purpose::Presigned,
            _ => Purpose::Other,
        };
        let origin = (self.arrival.scheme(), &*self.authority);
        let refused = match web_pages::check_page(&self.parts, origin, purpose) {
            Ok(()) => return Ok(()),
            Err(_) if self.grant.is_some() => return Ok(()),
            Err(error) => error,
        };
        let claim = Claim::read(&self.target, &self.parts).ok().flatten();
        let image = self.gate.store.read();
        let credential = claim.and_then(|claim| self.gate.cloud.credential(&image, &claim.access_key));
        match credential.map(|c| c.principal) {
            Some(Principal::OnBehalf { .. } | Principal::Foreign { .. }) => Ok(()),
            _ => Err(refused),
        }
    }

    /// This cloud has one region. A client configured for another one gets an error, since it would not find its resources. A few
    /// services also answer for a second region, which is returned then.
    fn region(&self, theirs: &str) -> Result<Option<&'static str>, AwsError> {
        let ours = &self.gate.cloud.config.region;
        let service = self.target.service.id;
        let found = self.gate.cloud.service(service);
        if found.is_none_or(|s| s.global()) || theirs == ours {
            return Ok(None);
        }
        let second = found.and_then(|s| s.also_in().iter().find(|region| **region == theirs));
        if let Some(second) = second {
            return Ok(Some(second));
        }
        Err(match service {
            "s3" => {
                let message = format!(
                    "The authorization header is malformed; the region '{theirs}' is wrong; expecting '{ours}'"
                );
                AwsError::new(ErrorKind::Invalid, "AuthorizationHeaderMalformed", 400, message)
                    .with("Region", ours.as_str())
            }
            _ => {
                let message = format!(
                    "Credential should be scoped to a valid region: this cloud is {ours}, not {theirs}."
                );
                AwsError::new(ErrorKind::Denied, "SignatureDoesNotMatch", 403, message)
            }
        })
    }

    /// Whether the operation accepts unsigned requests. S3's then need a resource policy that allows them; the other ones
    /// (STS's) issue credentials and check the caller themselves.
    fn takes_anonymous(&self, operation: &Operation) -> bool {
        operation.anonymous || self.target.service.id == "s3"
    }

    #[allow(clippy::too_many_arguments)] // each is a part of the decoded request
    async fn stream(
        &self,
        operation: &Operation,
        entry: &Entry,
        handler: &Arc<dyn StreamHandler>,
        caller: Caller,
        input: Value,
        body: impl FnOnce() -> Body,
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
        cloud.authorize(&self.gate.store.read(), &cx.caller, service, entry, &input, &needs)?;
        let StreamReply { output, body, status } = handler.run(cx, input, body()).await?;
        self.check_output(operation, &output)?;
        let mut response = match body {
            Some(body) => {
                escale_wire::encode_head(&self.target, operation, &output, &self.request_id).map(|()| body)
            }
            None => escale_wire::encode_output(&self.target, operation, &output, &self.request_id).map(full),
        };
        if let Some(status) = status.and_then(|s| http::StatusCode::from_u16(s).ok()) {
            *response.status_mut() = status;
        }
        Ok(response)
    }

    /// In debug builds, an answer that does not fit the model is an internal error, so that tests find it.
    fn check_output(&self, operation: &Operation, output: &Value) -> Result<(), AwsError> {
        if !cfg!(debug_assertions) {
            return Ok(());
        }
        match escale_wire::check_output(self.target.service, operation, output).as_slice() {
            [] => Ok(()),
            faults => {
                tracing::error!(
                    operation = operation.name,
                    ?faults,
                    "the response does not match the API model"
                );
                Err(AwsError::internal())
            }
        }
    }

    fn fail(&self, error: AwsError) -> Response<Body> {
        let error = match error.code.as_str() {
            // The only code whose spelling depends on the service.
            "AccessDenied" => escale_wire::access_denied(&self.target, error.message),
            _ => error,
        };
        let service = self.target.service.id;
        if error.status >= 500 {
            tracing::warn!(service, request_id = self.request_id, %error, "request failed");
        } else {
            tracing::debug!(service, request_id = self.request_id, %error, "request refused");
        }
        escale_wire::encode_error(&self.target, &error, &self.request_id, self.parts.uri.path()).map(full)
    }
}
