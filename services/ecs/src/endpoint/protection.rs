//! The part of the container agent's API with which a task protects itself.
//!
//! As AWS's agent does, it calls ECS with the credentials of the task's role, so the role's policies decide.
//!
//! Source: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-scale-in-protection-endpoint.html>

use super::{Endpoint, metadata, reply};
use crate::{Error, rules, status::Known};
use bytes::Bytes;
use escale_base::{AwsError, ErrorKind, ids};
use escale_service::{Arrival, Caller, Entrance, Source};
use escale_tables::ecs::Task;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use serde_json::{Value, json};
use std::{net::SocketAddr, sync::Arc, time::Duration};

/// A request has two short members.
const BODY_BYTES: usize = 4_096;
/// How long a client may take to send them.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

impl Endpoint {
    pub(super) async fn protection(
        &self,
        task: &Arc<Task>,
        container: &str,
        peer: SocketAddr,
        request: Request<Incoming>,
    ) -> Response<Full<Bytes>> {
        let known = Known::of(&self.store.read(), Arc::clone(task));
        if metadata::container_of(&known, container).is_none() {
            let message = "No container of the task has this id";
            return reply(StatusCode::NOT_FOUND, &json!({ "message": message }));
        }
        let arn = rules::task_arn(&self.cloud.config, task);
        let mut input = json!({ "cluster": task.cluster, "tasks": [task.id] });
        let operation = match *request.method() {
            Method::GET => "GetTaskProtection",
            Method::PUT => {
                let wish = match read(request).await {
                    Ok(wish) => wish,
                    Err(message) => return refused(&arn, "InvalidParameterException", &message),
                };
                input["protectionEnabled"] = wish.0.into();
                if let Some(minutes) = wish.1 {
                    input["expiresInMinutes"] = minutes.into();
                }
                "UpdateTaskProtection"
            }
            _ => {
                let message = "The path takes GET and PUT";
                return reply(StatusCode::METHOD_NOT_ALLOWED, &json!({ "message": message }));
            }
        };
        let called = match self.session(task).await {
            Ok(session) => self
                .as_role(&session, peer)
                .and_then(|caller| self.cloud.call(&self.store, &caller, "ecs", operation, input)),
            Err(refusal) => return refusal,
        };
        match called {
            Ok(answer) => answered(&answer),
            // The name that ECS's protocol gives to a denial.
            Err(error) if error.kind == ErrorKind::Denied => {
                refused(&arn, "AccessDeniedException", &error.message)
            }
            Err(error) => refused(&arn, &error.code, &error.message),
        }
    }

    /// The caller that these credentials of the task's role prove.
    fn as_role(&self, session: &Value, peer: SocketAddr) -> Result<Caller, AwsError> {
        let key = session["AccessKeyId"].as_str().unwrap_or_default();
        let credential = self.cloud.credential(&self.store.read(), key).ok_or(Error::SessionEnded)?;
        let arrival = Arrival { entrance: Entrance::Cloud, peer, tls: None };
        let caller =
            Caller::arriving(credential.principal, true, ids::random_uuid(), arrival, String::new())?;
        // On AWS this call crosses the network with TLS. Here none does.
        Ok(Caller { source: Source::DAEMON, ..caller })
    }
}

/// `ProtectionEnabled` and `ExpiresInMinutes` of a request.
async fn read(request: Request<Incoming>) -> Result<(bool, Option<i64>), String> {
    let body = tokio::time::timeout(BODY_TIMEOUT, Limited::new(request.into_body(), BODY_BYTES).collect());
    let bytes = match body.await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(_)) => return Err(format!("The body must be complete and have at most {BODY_BYTES} bytes.")),
        Err(_) => return Err("The body did not arrive in time.".into()),
    };
    parse(&bytes)
}

fn parse(bytes: &[u8]) -> Result<(bool, Option<i64>), String> {
    let value: Value = serde_json::from_slice(bytes).map_err(|e| format!("The body is no JSON: {e}."))?;
    let members = value.as_object().ok_or("The body must be a JSON object.")?;
    if let Some(other) =
        members.keys().find(|k| !matches!(k.as_str(), "ProtectionEnabled" | "ExpiresInMinutes"))
    {
        return Err(format!("The body has the unknown member {other}."));
    }
    let enabled = members.get("ProtectionEnabled").and_then(Value::as_bool);
    let enabled = enabled.ok_or("ProtectionEnabled must be true or false.")?;
    let minutes = match members.get("ExpiresInMinutes") {
        None | Some(Value::Null) => None,
        Some(given) => Some(given.as_i64().ok_or("ExpiresInMinutes must be a whole number.")?),
    };
    Ok((enabled, minutes))
}

/// The agent's form of what ECS answered about one task.
fn answered(answer: &Value) -> Response<Full<Bytes>> {
    if let Some(task) = answer["protectedTasks"].get(0) {
        let mut protection = json!({
            "TaskArn": task["taskArn"],
            "ProtectionEnabled": task["protectionEnabled"],
            "ExpirationDate": null,
        });
        if let Some(text) = expiration(&task["expirationDate"]) {
            protection["ExpirationDate"] = text.into();
        }
        return reply(StatusCode::OK, &json!({ "protection": protection }));
    }
    let failure = &answer["failures"][0];
    let value = json!({ "failure": { "Arn": failure["arn"], "Reason": failure["reason"] } });
    reply(StatusCode::OK, &value)
}

/// Seconds of the epoch, as ECS writes them, in the agent's form.
fn expiration(seconds: &Value) -> Option<String> {
    let ms = (seconds.as_f64()? * 1000.0).round();
    Some(escale_base::Timestamp(ms as i64).iso8601())
}

fn refused(arn: &str, code: &str, message: &str) -> Response<Full<Bytes>> {
    let value = json!({
        "requestID": ids::random_uuid(),
        "error": { "Arn": arn, "Code": code, "Message": message },
    });
    reply(StatusCode::BAD_REQUEST, &value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_read_strictly() {
        assert_eq!(parse(br#"{"ProtectionEnabled":true,"ExpiresInMinutes":60}"#), Ok((true, Some(60))));
        assert_eq!(parse(br#"{"ProtectionEnabled":false}"#), Ok((false, None)));
        for bad in [
            &b"true"[..],
            b"{}",
            br#"{"ProtectionEnabled":"yes"}"#,
            br#"{"ProtectionEnabled":true,"ExpiresInMinutes":"60"}"#,
            br#"{"ProtectionEnabled":true,"Minutes":60}"#,
            b"",
        ] {
            assert!(parse(bad).is_err(), "{}", String::from_utf8_lossy(bad));
        }
    }
}
