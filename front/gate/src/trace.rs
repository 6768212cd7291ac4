//! Collects what the record of calls needs from a request while it is processed.

use crate::Gate;
use escale_base::AwsError;
use escale_service::{Arrival, AuditedCall, CallNotes, Caller, Denial, DenialReason, Noted, Principal};
use escale_wire::Target;
use http::request::Parts;
use std::sync::{Arc, OnceLock};

/// Filled in step by step; each part is set once.
#[derive(Default)]
pub(crate) struct Trace {
    caller: OnceLock<KnownCaller>,
    operation: OnceLock<String>,
}

struct KnownCaller {
    principal: Principal,
    in_session: bool,
    access_key: Option<String>,
    notes: Arc<CallNotes>,
    is_refused_root: bool,
}

impl Trace {
    pub(crate) fn caller(&self, caller: &Caller, access_key: Option<String>) {
        let _ = self.caller.set(KnownCaller {
            principal: caller.principal.clone(),
            in_session: caller.in_session,
            access_key,
            notes: caller.notes.clone().unwrap_or_default(),
            is_refused_root: false,
        });
    }

    /// Notes that a request proved to be the root principal's at a listener that does not accept it.
    pub(crate) fn refused_root(&self, in_session: bool, access_key: Option<String>) {
        let (principal, notes) = (Principal::Root, Arc::default());
        let refused = KnownCaller { principal, in_session, access_key, notes, is_refused_root: true };
        let _ = self.caller.set(refused);
    }

    /// The sender of the request, if it was verified.
    pub(crate) fn principal(&self) -> Option<&Principal> {
        self.caller.get().map(|caller| &caller.principal)
    }

    pub(crate) fn operation(&self, name: &str) {
        let _ = self.operation.set(name.to_owned());
    }

    /// Records the call if its caller is known. An unsigned request that no policy decided on is not recorded.
    pub(crate) fn record(
        &self,
        gate: &Gate,
        target: &Target,
        parts: &Parts,
        (request_id, arrival): (&str, Arrival),
        error: Option<&AwsError>,
    ) {
        let (Some(caller), Some(operation)) = (self.caller.get(), self.operation.get()) else { return };
        let mut notes: Noted = caller.notes.take();
        if caller.is_refused_root {
            let reason = DenialReason::RootInsideCloud;
            notes.denial = Some(Denial { action: None, resource: None, reason });
        }
        if matches!(caller.principal, Principal::Anonymous) && notes.denial.is_none() {
            return;
        }
        let (event_source, kind) = gate.cloud.event_of(target.service.id, operation);
        if !gate.cloud.keeps(kind, notes.denial.is_some()) && error.is_none() {
            return;
        }
        // The record has the code that the client sees, which depends on the service.
        let denied = error.filter(|e| e.code == "AccessDenied");
        let answered = denied.map(|e| escale_wire::access_denied(target, e.message.as_str()));
        let user_agent = parts.headers.get("user-agent").and_then(|v| v.to_str().ok()).unwrap_or_default();
        gate.cloud.record(AuditedCall {
            at: gate.cloud.clock.now(),
            principal: caller.principal.clone(),
            in_session: caller.in_session,
            access_key: caller.access_key.clone(),
            arrival: Some(arrival),
            request_id: request_id.to_owned(),
            user_agent: user_agent.to_owned(),
            event_source,
            operation: operation.clone(),
            kind,
            notes,
            error_code: answered.as_ref().or(error).map(|e| e.code.clone()),
            denial_message: denied.map(|e| e.message.clone()),
        });
    }
}
