//! The distribution API at `/v2/`: docker, skopeo, buildah and the cloud's own tasks come through here.
//!
//! Source: <https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html>

use crate::{Error, Repositories, rules};
use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use escale_base::{ids, wire::Value};
use escale_registry::{Access, Action, Denied, Http};
use escale_service::{
    Arrival, AuditedCall, Body, Caller, Cloud, Denial, DenialReason, Mount, Noted, Principal,
};
use escale_store::Store;
use escale_tables::ecr::{Holder, Token};
use http::{HeaderMap, Request, Response, StatusCode, request::Parts};
use std::{future::Future, pin::Pin, sync::Arc};

/// The guest at the API's door that speaks the distribution API.
pub fn door(store: Store, cloud: Arc<Cloud>, repositories: Arc<Repositories>) -> Arc<dyn Mount> {
    Arc::new(Door { store, cloud, repositories })
}

#[derive(Clone)]
struct Door {
    store: Store,
    cloud: Arc<Cloud>,
    repositories: Arc<Repositories>,
}

impl Mount for Door {
    fn claims(&self, parts: &Parts) -> bool {
        // A bucket cannot be called `v2`: names have three letters at least.
        parts.uri.path() == "/v2" || parts.uri.path().starts_with("/v2/")
    }

    fn serve(
        &self,
        request: Request<Body>,
        arrival: Arrival,
    ) -> Pin<Box<dyn Future<Output = Response<Body>> + Send + '_>> {
        let guard = Arc::new(Guard { door: self.clone(), arrival });
        let http = Http::new(Arc::clone(&self.repositories.registry), guard);
        Box::pin(async move { http.handle(request).await })
    }
}

/// Asks whose token one request shows, and whether they may.
struct Guard {
    door: Door,
    arrival: Arrival,
}

#[async_trait]
impl Access for Guard {
    async fn check(
        &self,
        headers: &HeaderMap,
        repository: Option<&str>,
        action: Action,
    ) -> Result<(), Denied> {
        let actions: &[&str] = match action {
            Action::Ping => &[],
            // <https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-push-iam.html>
            Action::Pull => &["ecr:BatchGetImage"],
            Action::PullBlob => &["ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"],
            Action::Push => &[
                "ecr:BatchCheckLayerAvailability",
                "ecr:InitiateLayerUpload",
                "ecr:UploadLayerPart",
                "ecr:CompleteLayerUpload",
                "ecr:PutImage",
            ],
            Action::Delete => &["ecr:BatchDeleteImage"],
        };
        let Some(repository) = repository else {
            return self.caller(headers, None).map(|_| ());
        };
        self.may(headers, repository, actions)?;
        let account = &self.door.cloud.config.account;
        match self.door.repositories.ready(&self.door.store, account, repository).await {
            // The plane has not got it either, and says so in the form that clients know.
            Ok(_) | Err(Error::NoSuchRepository { .. }) => Ok(()),
            Err(error) => {
                tracing::error!(%error, repository, "a repository cannot be brought about");
                Err(Denied {
                    status: StatusCode::INTERNAL_SERVER_ERROR,
                    challenge: None,
                    code: "UNKNOWN".into(),
                    message: "an internal fault of the registry".into(),
                })
            }
        }
    }
}

impl Guard {
    fn may(&self, headers: &HeaderMap, repository: &str, actions: &[&str]) -> Result<(), Denied> {
        let operation = actions.first().map(|action| action.trim_start_matches("ecr:"));
        let caller = self.caller(headers, operation)?;
        let input = Value::Object([("repositoryName".to_owned(), repository.into())].into_iter().collect());
        let resources = [rules::arn(&self.door.cloud.config, repository)];
        let image = self.door.store.read();
        for action in actions {
            let operation = action.trim_start_matches("ecr:");
            self.door
                .cloud
                .authorize_action(&image, &caller, "ecr", (action, operation), &input, &resources)
                .map_err(|error| {
                    let noted = caller.notes.as_ref().map(|n| n.take()).unwrap_or_default();
                    self.record(headers, &caller.principal, operation, noted, &error.message);
                    denied(error.message)
                })?;
        }
        Ok(())
    }

    /// Who holds the token that the request shows. `operation` is what a refusal is recorded under.
    fn caller(&self, headers: &HeaderMap, operation: Option<&str>) -> Result<Caller, Denied> {
        let header = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
        let host = header("host").unwrap_or(&self.door.cloud.config.endpoint);
        let unknown = |message: &str| Denied {
            status: StatusCode::UNAUTHORIZED,
            challenge: Some(format!("Basic realm=\"http://{host}/\",service=\"ecr.amazonaws.com\"")),
            code: "UNAUTHORIZED".into(),
            message: message.to_owned(),
        };
        let shown = header("authorization").ok_or_else(|| unknown("Not Authorized"))?;
        let (id, secret) = credentials(shown).ok_or_else(|| unknown("Not Authorized"))?;
        let token = self.door.store.read().get::<Token>(&id).ok_or_else(|| unknown("Not Authorized"))?;
        if *token.secret.reveal() != secret {
            return Err(unknown("Not Authorized"));
        }
        if token.expires < self.door.cloud.clock.now() {
            return Err(unknown("Your authorization token has expired. Reauthenticate and try again."));
        }
        let request_id = ids::random_uuid();
        Caller::arriving(principal(&token.holder), true, request_id, self.arrival, host.to_owned()).map_err(
            |refused| {
                let reason = DenialReason::RootInsideCloud;
                let denial = Some(Denial { action: None, resource: None, reason });
                let noted = Noted { resources: Vec::new(), denial };
                if let Some(operation) = operation {
                    self.record(headers, &Principal::Root, operation, noted, &refused.to_string());
                }
                denied(refused.to_string())
            },
        )
    }

    /// Denials alone are recorded: a push is dozens of requests.
    fn record(
        &self,
        headers: &HeaderMap,
        principal: &Principal,
        operation: &str,
        notes: Noted,
        message: &str,
    ) {
        let cloud = &self.door.cloud;
        let (event_source, kind) = cloud.event_of("ecr", operation);
        let user_agent = headers.get("user-agent").and_then(|v| v.to_str().ok()).unwrap_or_default();
        cloud.record(AuditedCall {
            at: cloud.clock.now(),
            principal: principal.clone(),
            in_session: true,
            access_key: None,
            arrival: Some(self.arrival),
            request_id: ids::random_uuid(),
            user_agent: user_agent.to_owned(),
            event_source,
            operation: operation.to_owned(),
            kind,
            notes,
            error_code: Some("DENIED".into()),
            denial_message: Some(message.to_owned()),
        });
    }
}

/// The credentials are good, and not for this.
fn denied(message: String) -> Denied {
    Denied { status: StatusCode::FORBIDDEN, challenge: None, code: "DENIED".into(), message }
}

/// `Basic base64(AWS:<id>.<secret>)`
fn credentials(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = decoded.strip_prefix("AWS:")?.split_once('.')?;
    Some((id.to_owned(), secret.to_owned()))
}

fn principal(holder: &Holder) -> Principal {
    match holder.clone() {
        Holder::Root => Principal::Root,
        Holder::User(name) => Principal::User { name },
        Holder::Role { name, session, role_id } => Principal::Role { name, session, role_id },
        Holder::Service(name) => Principal::Service(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_in_a_header() {
        let basic = |text: &str| credentials(&format!("Basic {}", STANDARD.encode(text)));
        assert_eq!(basic("AWS:id.secret"), Some(("id".into(), "secret".into())));
        assert_eq!(basic("me:id.secret"), None);
        assert_eq!(basic("AWS:none"), None);
        assert_eq!(credentials("Bearer x"), None);
    }
}
