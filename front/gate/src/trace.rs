//! What becomes known of a request on its way, for the record of calls.

use crate::Gate;
use escale_base::AwsError;
use escale_service::{Arrival, AuditedCall, CallNotes, Caller, Denial, DenialReason, Noted, Principal};
use escale_wire::Target;
use http::request::Parts;
use std::sync::{Arc, OnceLock};

/// Filled in while a request is worked on.
#[derive(Default)]
pub(crate) struct Trace {
    who: OnceLock<Who>,
    operation: OnceLock<String>,
}

struct Who {
    principal: Principal,
    in_session: bool,
    access_key: Option<String>,
    notes: Arc<CallNotes>,
    is_refused_root: bool,
}

impl Trace {
    pub(crate) fn caller(&self, caller: &Caller, access_key: Option<String>) {
        let _ = self.who.set(Who {
            principal: caller.principal.clone(),
            in_session: caller.in_session,
            access_key,
            notes: caller.notes.clone().unwrap_or_default(),
            is_refused_root: false,
        });
    }

    /// The root principal was proven at a listener that does not accept it.
    pub(crate) fn refused_root(&self, in_session: bool, access_key: Option<String>) {
        let (principal, notes) = (Principal::Root, Arc::default());
        let _ = self.who.set(Who { principal, in_session, access_key, notes, is_refused_root: true });
    }

    pub(crate) fn operation(&self, name: &str) {
        let _ = self.operation.set(name.to_owned());
    }

    /// Records the call, if it is known who made it: what nobody signed and no policy decided on is nobody's call.
    pub(crate) fn record(
        &self,
        gate: &Gate,
        target: &Target,
        parts: &Parts,
        (request_id, arrival): (&str, Arrival),
        error: Option<&AwsError>,
    ) {
        let (Some(who), Some(operation)) = (self.who.get(), self.operation.get()) else { return };
        let mut notes: Noted = who.notes.take();
        if who.is_refused_root {
            let reason = DenialReason::RootInsideCloud;
            notes.denial = Some(Denial { action: None, resource: None, reason });
        }
        if matches!(who.principal, Principal::Anonymous) && notes.denial.is_none() {
            return;
        }
        let denied = error.filter(|e| e.code == "AccessDenied");
        let answered = denied.map(|e| escale_wire::access_denied(target, e.message.as_str()));
        let (event_source, kind) = gate.cloud.event_of(target.service.id, operation);
        let user_agent = parts.headers.get("user-agent").and_then(|v| v.to_str().ok()).unwrap_or_default();
        gate.cloud.record(AuditedCall {
            at: gate.cloud.clock.now(),
            principal: who.principal.clone(),
            in_session: who.in_session,
            access_key: who.access_key.clone(),
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
