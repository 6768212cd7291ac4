//! The distribution API at `/v2/`, for docker, skopeo, buildah and other image clients.
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

/// The mount at the gate that serves the distribution API.
pub fn door(store: Store, cloud: Arc<Cloud>, repositories: Arc<Repositories>) -> Arc<dyn Mount> {
    Arc::new(DistributionApi { store, cloud, repositories })
}

#[derive(Clone)]
struct DistributionApi {
    store: Store,
    cloud: Arc<Cloud>,
    repositories: Arc<Repositories>,
}

impl Mount for DistributionApi {
    fn claims(&self, parts: &Parts) -> bool {
        // No request for S3 has this path: a bucket's name has at least three characters.
        parts.uri.path() == "/v2" || parts.uri.path().starts_with("/v2/")
    }

    fn serve(
        &self,
        request: Request<Body>,
        arrival: Arrival,
    ) -> Pin<Box<dyn Future<Output = Response<Body>> + Send + '_>> {
        let guard = Arc::new(Guard { api: self.clone(), arrival });
        let http = Http::new(Arc::clone(&self.repositories.registry), guard);
        Box::pin(async move { http.handle(request).await })
    }
}

/// Authenticates one request by its token and authorizes its holder.
struct Guard {
    api: DistributionApi,
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
        // Before `ready`: a request without permission must not create the repository in the plane.
        self.authorize(headers, repository, actions)?;
        let account = &self.api.cloud.config.account;
        match self.api.repositories.ready(&self.api.store, account, &repository.into()).await {
            // The plane does not have the repository either, and returns the distribution API's own error.
            Ok(_) | Err(Error::NoSuchRepository { .. }) => Ok(()),
            Err(error) => {
                tracing::error!(%error, repository, "a repository could not be created in the registry");
                Err(Denied {
                    status: StatusCode::INTERNAL_SERVER_ERROR,
                    challenge: None,
                    code: "UNKNOWN".into(),
                    message: "The registry failed internally. See the daemon's log for the cause.".into(),
                })
            }
        }
    }
}

impl Guard {
    fn authorize(&self, headers: &HeaderMap, repository: &str, actions: &[&str]) -> Result<(), Denied> {
        let operation = actions.first().map(|action| action.trim_start_matches("ecr:"));
        let caller = self.caller(headers, operation)?;
        let input = Value::Object([("repositoryName".to_owned(), repository.into())].into_iter().collect());
        let resources = [rules::arn(&self.api.cloud.config, &repository.into())];
        let image = self.api.store.read();
        for action in actions {
            let operation = action.trim_start_matches("ecr:");
            self.api
                .cloud
                .authorize_action(&image, &caller, "ecr", (action, operation), &input, &resources, &[])
                .map_err(|error| {
                    let noted = caller.notes.as_ref().map(|n| n.take()).unwrap_or_default();
                    self.record(headers, &caller.principal, operation, noted, &error.message);
                    denied(error.message)
                })?;
        }
        Ok(())
    }

    /// The holder of the token in the request. A denial is recorded under `operation`.
    fn caller(&self, headers: &HeaderMap, operation: Option<&str>) -> Result<Caller, Denied> {
        let header = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
        let host = header("host").unwrap_or(&self.api.cloud.config.endpoint);
        let scheme = self.arrival.scheme();
        let unknown = |message: &str| Denied {
            status: StatusCode::UNAUTHORIZED,
            challenge: Some(format!("Basic realm=\"{scheme}://{host}/\",service=\"ecr.amazonaws.com\"")),
            code: "UNAUTHORIZED".into(),
            message: message.to_owned(),
        };
        let authorization = header("authorization").ok_or_else(|| unknown("Not Authorized"))?;
        let (id, secret) = credentials(authorization).ok_or_else(|| unknown("Not Authorized"))?;
        let token = self.api.store.read().get::<Token>(&id).ok_or_else(|| unknown("Not Authorized"))?;
        if *token.secret.reveal() != secret {
            return Err(unknown("Not Authorized"));
        }
        if token.expires < self.api.cloud.clock.now() {
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

    /// Records a denial in the trail. Other requests are not recorded: a push is dozens of requests.
    fn record(
        &self,
        headers: &HeaderMap,
        principal: &Principal,
        operation: &str,
        notes: Noted,
        message: &str,
    ) {
        let cloud = &self.api.cloud;
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

/// The response to valid credentials without permission.
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
        Holder::User(name) => Principal::User { name: name.into() },
        Holder::Role { name, session, role_id } => {
            Principal::Role { name: name.into(), session: session.into(), role_id: role_id.into() }
        }
        Holder::Service(name) => Principal::Service(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_credentials_in_a_header() {
        let basic = |text: &str| credentials(&format!("Basic {}", STANDARD.encode(text)));
        assert_eq!(basic("AWS:id.secret"), Some(("id".into(), "secret".into())));
        assert_eq!(basic("me:id.secret"), None);
        assert_eq!(basic("AWS:none"), None);
        assert_eq!(credentials("Bearer x"), None);
    }
}
