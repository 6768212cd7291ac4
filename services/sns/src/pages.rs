//! The pages that a message links to. They need no signature: the token, or the subscription's name, is the proof, as on AWS.

use crate::{
    ops::{confirm_subscription, unsubscribe},
    signature,
};
use bytes::Bytes;
use escale_service::{Arrival, Body, Caller, Cloud, Mount};
use escale_store::Store;
use escale_tables::sns::{SigningKey, Subscription};
use http::{Method, Request, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt, Full};
use percent_encoding::percent_decode_str;
use std::{pin::Pin, sync::Arc};

pub(crate) struct Pages {
    pub(crate) store: Store,
    pub(crate) cloud: Arc<Cloud>,
}

/// A parameter of the query.
fn parameter(parts: &Parts, name: &str) -> Option<String> {
    let pairs = parts.uri.query()?.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.into_iter().find(|(key, _)| *key == name)?;
    percent_decode_str(value).decode_utf8().ok().map(Into::into)
}

impl Mount for Pages {
    fn claims(&self, parts: &Parts) -> bool {
        let path = parts.uri.path();
        let is_signed = parts.headers.contains_key(header::AUTHORIZATION)
            || parameter(parts, "X-Amz-Signature").is_some();
        let action = parameter(parts, "Action");
        let is_page = path == "/" && matches!(action.as_deref(), Some("ConfirmSubscription" | "Unsubscribe"));
        let is_certificate = path.starts_with("/SimpleNotificationService-") && path.ends_with(".pem");
        parts.method == Method::GET && !is_signed && (is_page || is_certificate)
    }

    fn serve(
        &self,
        request: Request<Body>,
        _: Arrival,
    ) -> Pin<Box<dyn Future<Output = Response<Body>> + Send + '_>> {
        let (parts, _) = request.into_parts();
        Box::pin(async move { self.answer(&parts) })
    }
}

impl Pages {
    fn answer(&self, parts: &Parts) -> Response<Body> {
        let of = |name: &str| parameter(parts, name).unwrap_or_default();
        match of("Action").as_str() {
            "ConfirmSubscription" => self.confirm(&of("TopicArn"), &of("Token")),
            "Unsubscribe" => self.unsubscribe(&of("SubscriptionArn")),
            _ => self.certificate(parts.uri.path()),
        }
    }

    fn certificate(&self, path: &str) -> Response<Body> {
        match self.store.read().get::<SigningKey>(signature::KEY).filter(|key| signature::path(key) == path) {
            Some(key) => response(StatusCode::OK, "application/x-pem-file", key.certificate_pem.clone()),
            None => response(StatusCode::NOT_FOUND, "text/plain", "There is no such certificate.\n".into()),
        }
    }

    fn confirm(&self, topic: &str, token: &str) -> Response<Body> {
        let caller = Caller::service(crate::PRINCIPAL);
        let confirmed = self.cloud.transact(&self.store, &caller, |cx| {
            Ok(confirm_subscription::confirm(cx, &topic.into(), token, false)?)
        });
        let page = |arn: escale_tables::sns::SubscriptionArn| {
            xml("ConfirmSubscription", &format!("<SubscriptionArn>{arn}</SubscriptionArn>"))
        };
        confirmed.map_or_else(|failed| refused(&failed.0), page)
    }

    fn unsubscribe(&self, arn: &str) -> Response<Body> {
        let is_closed = |s: Arc<Subscription>| s.authenticated_unsubscribe;
        if self.store.read().get::<Subscription>(arn).is_some_and(is_closed) {
            let message = "This subscription ends only by an authorized call of Unsubscribe.\n";
            return response(StatusCode::FORBIDDEN, "text/plain", message.into());
        }
        let caller = Caller::service(crate::PRINCIPAL);
        let ended = self.cloud.transact(&self.store, &caller, |cx| Ok(unsubscribe::end(cx, &arn.into())?));
        ended.map_or_else(|failed| refused(&failed.0), |()| xml("Unsubscribe", ""))
    }
}

fn refused(error: &escale_base::AwsError) -> Response<Body> {
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
    response(status, "text/plain", format!("{}: {}\n", error.code, error.message))
}

/// `result` is an ARN at most, which has no character of XML's syntax.
fn xml(operation: &str, result: &str) -> Response<Body> {
    let id = escale_base::ids::random_uuid();
    let body = format!(
        "<{operation}Response xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><{operation}Result>{result}</{operation}Result>\
         <ResponseMetadata><RequestId>{id}</RequestId></ResponseMetadata></{operation}Response>"
    );
    response(StatusCode::OK, "text/xml", body)
}

fn response(status: StatusCode, kind: &'static str, text: String) -> Response<Body> {
    let body: Body = Full::new(Bytes::from(text)).map_err(|e| match e {}).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, http::HeaderValue::from_static(kind));
    response
}
