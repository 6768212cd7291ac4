//! The distribution API at `/v2/`: docker, skopeo, buildah and the cloud's own tasks come through here.
//!
//! Source: <https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html>

use crate::{Error, Repositories, rules};
use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use escale_base::{ids, wire::Value};
use escale_registry::{Access, Action, Denied, Http};
use escale_service::{Body, Caller, Cloud, Mount, Principal};
use escale_store::Store;
use escale_tables::ecr::{Holder, Token};
use http::{HeaderMap, Method, Request, Response, StatusCode, request::Parts};
use std::{future::Future, net::SocketAddr, pin::Pin, sync::Arc};

/// The guest at the API's door that speaks the distribution API.
pub fn door(store: Store, cloud: Arc<Cloud>, repositories: Arc<Repositories>) -> Arc<dyn Mount> {
    let guard = Arc::new(Guard { store, cloud, repositories });
    let http = Http::new(Arc::clone(&guard.repositories.registry), Arc::clone(&guard) as Arc<dyn Access>);
    Arc::new(Door { http, guard })
}

struct Door {
    http: Http,
    guard: Arc<Guard>,
}

impl Mount for Door {
    fn claims(&self, parts: &Parts) -> bool {
        // A bucket cannot be called `v2`: names have three letters at least.
        parts.uri.path() == "/v2" || parts.uri.path().starts_with("/v2/")
    }

    fn serve(
        &self,
        request: Request<Body>,
        _peer: SocketAddr,
    ) -> Pin<Box<dyn Future<Output = Response<Body>> + Send + '_>> {
        Box::pin(async move {
            // A layer's bytes are an action of their own, which the plane does not tell from a manifest's.
            let fetches = blob_repository(request.uri().path()).filter(|_| request.method() == Method::GET);
            if let Some(repository) = fetches
                && let Err(no) =
                    self.guard.may(request.headers(), repository, &["ecr:GetDownloadUrlForLayer"])
            {
                return refusal(&no);
            }
            self.http.handle(request).await
        })
    }
}

fn blob_repository(path: &str) -> Option<&str> {
    let (name, digest) = path.strip_prefix("/v2/")?.rsplit_once("/blobs/")?;
    digest.starts_with("sha256").then_some(name)
}

fn refusal(no: &Denied) -> Response<Body> {
    use http_body_util::{BodyExt, Full};
    let errors = serde_json::json!({"errors": [{"code": no.code, "message": no.message}]});
    let body = Full::new(errors.to_string().into()).map_err(|never| match never {}).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = no.status;
    response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/json"));
    if let Some(challenge) = no.challenge.as_deref().and_then(|c| http::HeaderValue::from_str(c).ok()) {
        response.headers_mut().insert("www-authenticate", challenge);
    }
    response
}

/// Asks whose token it is, and whether they may.
struct Guard {
    store: Store,
    cloud: Arc<Cloud>,
    repositories: Arc<Repositories>,
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
            Action::Pull => &["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
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
            return self.caller(headers).map(|_| ());
        };
        self.may(headers, repository, actions)?;
        let account = &self.cloud.config.account;
        match self.repositories.ready(&self.store, account, repository).await {
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
        let caller = self.caller(headers)?;
        let input = Value::Object([("repositoryName".to_owned(), repository.into())].into_iter().collect());
        let resources = [rules::arn(&self.cloud.config, repository)];
        let image = self.store.read();
        for action in actions {
            let operation = action.trim_start_matches("ecr:");
            self.cloud
                .authorize_action(&image, &caller, "ecr", (action, operation), &input, &resources)
                .map_err(|error| Denied {
                    status: StatusCode::FORBIDDEN,
                    challenge: None,
                    code: "DENIED".into(),
                    message: error.message,
                })?;
        }
        Ok(())
    }

    /// Who holds the token that the request shows.
    fn caller(&self, headers: &HeaderMap) -> Result<Caller, Denied> {
        let header = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
        let host = header("host").unwrap_or(&self.cloud.config.endpoint);
        let unknown = |message: &str| Denied {
            status: StatusCode::UNAUTHORIZED,
            challenge: Some(format!("Basic realm=\"http://{host}/\",service=\"ecr.amazonaws.com\"")),
            code: "UNAUTHORIZED".into(),
            message: message.to_owned(),
        };
        let shown = header("authorization").ok_or_else(|| unknown("Not Authorized"))?;
        let (id, secret) = credentials(shown).ok_or_else(|| unknown("Not Authorized"))?;
        let token = self.store.read().get::<Token>(&id).ok_or_else(|| unknown("Not Authorized"))?;
        if *token.secret.reveal() != secret {
            return Err(unknown("Not Authorized"));
        }
        if token.expires < self.cloud.clock.now() {
            return Err(unknown("Your authorization token has expired. Reauthenticate and try again."));
        }
        Ok(Caller {
            principal: principal(&token.holder),
            in_session: true,
            request_id: ids::random_uuid(),
            source_ip: None,
            host: host.to_owned(),
        })
    }
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

    #[test]
    fn blobs_in_a_path() {
        assert_eq!(blob_repository("/v2/shop/backend/blobs/sha256:00"), Some("shop/backend"));
        assert_eq!(blob_repository("/v2/shop/blobs/uploads/1"), None);
        assert_eq!(blob_repository("/v2/shop/manifests/latest"), None);
    }
}
