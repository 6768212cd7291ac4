//! Uploads by HTML forms (PostObject): a browser sends the fields and a file, and a signed policy limits what they may be.
//! The request is no operation of AWS's API model, so a [`Mount`] answers it, with the operation PutObject.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html>

mod error;
mod form;
mod policy;

use crate::{AccessLogs, Error, access_log, cors};
use bytes::Bytes;
use error::FormError;
use escale_base::{AwsError, ids, path::percent_encode, wire::Value};
use escale_service::{
    Arrival, Body, Caller, Cloud, CrossOrigin, Kind, Mount, Principal, Served, StreamCx, counted,
};
use escale_store::Store;
use escale_wire::sigv4;
use form::Form;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt, Full};
use std::{convert::Infallible, future::Future, pin::Pin, sync::Arc};

/// Form uploads to all buckets.
pub(crate) struct Uploads {
    pub(crate) store: Store,
    pub(crate) cloud: Arc<Cloud>,
    pub(crate) access_logs: Arc<AccessLogs>,
}

/// Fields that are parts of the protocol, and not of the object.
const OF_PROTOCOL: [&str; 8] = [
    "bucket",
    "key",
    "policy",
    "redirect",
    "success_action_redirect",
    "success_action_status",
    "submit",
    "x-amz-signature",
];
const OF_SIGNATURE: [&str; 4] = ["x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-security-token"];

/// Fields with their members of PutObject.
const MEMBERS: [(&str, &str); 9] = [
    ("acl", "ACL"),
    ("cache-control", "CacheControl"),
    ("content-disposition", "ContentDisposition"),
    ("content-encoding", "ContentEncoding"),
    ("content-type", "ContentType"),
    ("expires", "Expires"),
    ("x-amz-server-side-encryption", "ServerSideEncryption"),
    ("x-amz-storage-class", "StorageClass"),
    ("x-amz-website-redirect-location", "WebsiteRedirectLocation"),
];

impl Mount for Uploads {
    /// No other operation of AWS has such a body.
    fn claims(&self, parts: &Parts) -> bool {
        let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("");
        parts.method == Method::POST && kind.to_ascii_lowercase().starts_with("multipart/form-data")
    }

    /// The policy of the form decides, whatever page has it.
    fn has_own_proof(&self) -> bool {
        true
    }

    fn serve(
        &self,
        request: Request<Body>,
        arrival: Arrival,
    ) -> Pin<Box<dyn Future<Output = Response<Body>> + Send + '_>> {
        Box::pin(self.answer(request, arrival))
    }
}

/// A stored object.
struct Stored {
    bucket: String,
    key: String,
    etag: String,
    fields: form::Fields,
}

impl Uploads {
    async fn answer(&self, request: Request<Body>, arrival: Arrival) -> Response<Body> {
        let (request_id, started) = (ids::random_upper(16), self.cloud.clock.now());
        let (parts, body) = request.into_parts();
        let bucket = bucket_of(&parts);
        let mut principal = None;
        let result = match &bucket {
            Some(bucket) => self.upload(&parts, body, (arrival, &request_id), bucket, &mut principal).await,
            None => Err(Error::MethodNotAllowed("POST".into()).into()),
        };
        let code = result.as_ref().err().map(|error| error.code.clone());
        let path = match (&result, &bucket) {
            (Ok(stored), _) => format!("/{}/{}", stored.bucket, percent_encode(&stored.key)),
            (Err(_), Some(bucket)) => format!("/{bucket}"),
            (Err(_), None) => parts.uri.path().to_owned(),
        };
        let mut response = match result {
            Ok(stored) => success(&parts, &stored),
            Err(error) => failure(&error, &path, &request_id),
        };
        put(response.headers_mut(), "x-amz-request-id", &request_id);
        put(response.headers_mut(), "x-amz-id-2", &request_id);
        let image = self.store.read();
        let grant = CrossOrigin::of(&parts.method, &parts.headers, &path)
            .and_then(|asked| cors::grant(&image, &asked));
        if let Some(grant) = grant {
            grant.allow(response.headers_mut(), &parts.method, &parts.headers);
        }
        let served = Served {
            request: &parts,
            path: &path,
            request_id: &request_id,
            arrival,
            principal: principal.as_ref(),
            status: response.status().as_u16(),
            error_code: code.as_deref(),
            headers: response.headers(),
            started,
            answered: self.cloud.clock.now(),
        };
        match access_log::note(
            &self.access_logs,
            &image,
            &self.cloud.config,
            (&served, access_log::Kind::Rest),
        ) {
            Some(done) => response.map(|body| counted(body, done, self.cloud.clock.clone())),
            None => response,
        }
    }

    async fn upload(
        &self,
        parts: &Parts,
        body: Body,
        (arrival, request_id): (Arrival, &str),
        bucket: &str,
        proven: &mut Option<Principal>,
    ) -> Result<Stored, AwsError> {
        crate::buckets::row(&self.store.read(), &bucket.into())?;
        let Form { mut fields, file, filename } = form::read(parts, body).await?;
        fields.insert("bucket".into(), bucket.to_owned());
        let key = fields.get("key").filter(|key| !key.is_empty());
        let key = key.ok_or_else(|| argument("key", "", "Bucket POST must contain a field named 'key'."))?;
        let key = key.replace("${filename}", &filename);
        fields.insert("key".into(), key.clone());
        let (principal, in_session) = self.sender(&fields)?;
        *proven = Some(principal.clone());
        let size = match fields.get("policy") {
            Some(text) => policy::check(text, &fields, self.cloud.clock.now())?,
            None => policy::Size::default(),
        };
        let authority =
            parts.headers.get(header::HOST).and_then(|h| h.to_str().ok()).unwrap_or("").to_owned();
        let caller = Caller::arriving(principal, in_session, request_id.to_owned(), arrival, authority)?;
        // Without notes, a denial is recorded where it is decided: no operation of the gate records it.
        let caller = Caller { notes: None, ..caller };
        let input = input(bucket, &key, &fields)?;
        let etag = self.put(caller, input, size.limit(file)).await?;
        Ok(Stored { bucket: bucket.to_owned(), key, etag, fields })
    }

    /// The sender that the signature of the policy proves. A form without a policy is anonymous.
    fn sender(&self, fields: &form::Fields) -> Result<(Principal, bool), AwsError> {
        let field = |name: &str| fields.get(name).map(String::as_str);
        let Some(policy) = field("policy") else { return Ok((Principal::Anonymous, false)) };
        let required = |name: &'static str| {
            let why = format!(
                "Bucket POST must contain a field named '{name}'.  If it is specified, please check the order of the fields."
            );
            field(name).ok_or_else(|| argument(name, "", &why))
        };
        let algorithm = required("x-amz-algorithm")?;
        if algorithm != sigv4::ALGORITHM {
            return Err(argument(
                "X-Amz-Algorithm",
                algorithm,
                "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"",
            ));
        }
        let credential = required("x-amz-credential")?;
        required("x-amz-date")?;
        let signature = required("x-amz-signature")?;
        let mut scope = credential.rsplitn(5, '/');
        let (end, service, region, date, access_key) =
            (scope.next(), scope.next(), scope.next(), scope.next(), scope.next());
        let (Some("aws4_request"), Some("s3"), Some(region), Some(date), Some(access_key)) =
            (end, service, region, date, access_key)
        else {
            let why = "Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; expecting \
                       \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".";
            return Err(argument("X-Amz-Credential", credential, why));
        };
        if region != self.cloud.config.region {
            let why = format!("the region '{region}' is wrong; expecting '{}'", self.cloud.config.region);
            return Err(argument("X-Amz-Credential", credential, &why));
        }
        let image = self.store.read();
        let unknown = || FormError::UnknownAccessKey(access_key.to_owned());
        let found = self.cloud.credential(&image, access_key).ok_or_else(unknown)?;
        if found.session_token.as_ref().map(|t| t.reveal().as_str()) != field("x-amz-security-token") {
            return Err(unknown().into());
        }
        if found.expires.is_some_and(|at| at < self.cloud.clock.now()) {
            return Err(FormError::ExpiredToken.into());
        }
        if !sigv4::has_signature(found.secret.reveal(), (date, region, "s3"), policy, signature) {
            return Err(FormError::WrongSignature.into());
        }
        Ok((found.principal, found.session_token.is_some()))
    }

    async fn put(&self, caller: Caller, input: Value, body: Body) -> Result<String, AwsError> {
        let entry = self.cloud.entry("s3", "PutObject").ok_or_else(AwsError::internal)?;
        let Kind::Stream(handler) = &entry.kind else { return Err(AwsError::internal()) };
        let cx = StreamCx {
            store: self.store.clone(),
            cloud: Arc::clone(&self.cloud),
            caller,
            config: Arc::clone(&self.cloud.config),
            now: self.cloud.clock.now(),
            headers: HeaderMap::new(),
        };
        let needs = handler.needs(&input, &cx)?;
        self.cloud.authorize(&self.store.read(), &cx.caller, "s3", entry, &input, &needs)?;
        let reply = handler.run(cx, input, body).await?;
        Ok(reply.output["ETag"].as_str().unwrap_or_default().to_owned())
    }
}

/// The bucket in the host name, or the only segment of the path.
fn bucket_of(parts: &Parts) -> Option<String> {
    let path = parts.uri.path().trim_matches('/');
    match escale_wire::bucket_of_host(&escale_wire::host(parts)) {
        Some(bucket) if path.is_empty() => Some(bucket.to_owned()),
        None if !path.is_empty() && !path.contains('/') => escale_base::path::decode_once(path).ok(),
        _ => None,
    }
}

/// The input of PutObject. Other fields of S3 are refused by name; those of the form's own page are not S3's.
fn input(bucket: &str, key: &str, fields: &form::Fields) -> Result<Value, AwsError> {
    let mut input = serde_json::json!({"Bucket": bucket, "Key": key, "Metadata": {}});
    for (name, value) in fields {
        if let Some((_, member)) = MEMBERS.iter().find(|(field, _)| field == name) {
            input[*member] = value.as_str().into();
        } else if let Some(name) = name.strip_prefix("x-amz-meta-") {
            input["Metadata"][name] = value.as_str().into();
        } else if (name.starts_with("x-amz-") || name == "tagging")
            && !OF_SIGNATURE.contains(&name.as_str())
            && !OF_PROTOCOL.contains(&name.as_str())
        {
            return Err(AwsError::not_supported(format_args!("The form field {name}")));
        }
    }
    Ok(input)
}

fn success(parts: &Parts, stored: &Stored) -> Response<Body> {
    let field = |name: &str| stored.fields.get(name).filter(|value| !value.is_empty());
    let host = parts.headers.get(header::HOST).and_then(|h| h.to_str().ok()).unwrap_or("");
    let location = format!("http://{host}/{}/{}", stored.bucket, percent_encode(&stored.key));
    let redirect = field("success_action_redirect").or_else(|| field("redirect"));
    let redirect = redirect.filter(|to| to.starts_with("http://") || to.starts_with("https://"));
    let status = match (redirect, field("success_action_status").map(String::as_str)) {
        (Some(_), _) => StatusCode::SEE_OTHER,
        (None, Some("200")) => StatusCode::OK,
        (None, Some("201")) => StatusCode::CREATED,
        (None, _) => StatusCode::NO_CONTENT,
    };
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<PostResponse><Location>{}</Location><Bucket>{}</Bucket><Key>{}</Key>\
         <ETag>{}</ETag></PostResponse>",
        escaped(&location),
        escaped(&stored.bucket),
        escaped(&stored.key),
        escaped(&stored.etag)
    );
    let mut response = Response::new(full(if status == StatusCode::CREATED { xml } else { String::new() }));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if status == StatusCode::CREATED {
        put(headers, "content-type", "application/xml");
    }
    put(headers, "etag", &stored.etag);
    let target = redirect.map(|to| {
        let first = if to.contains('?') { '&' } else { '?' };
        let (key, etag) = (percent_encode(&stored.key), percent_encode(&stored.etag));
        format!("{to}{first}bucket={}&key={key}&etag={etag}", stored.bucket)
    });
    put(headers, "location", target.as_ref().unwrap_or(&location));
    response
}

fn failure(error: &AwsError, path: &str, request_id: &str) -> Response<Body> {
    let own = [("Code", error.code.as_str()), ("Message", error.message.as_str())];
    let extra = error.extra.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)));
    let end = [("Resource", path), ("RequestId", request_id), ("HostId", request_id)];
    let members = own.into_iter().chain(extra).chain(end);
    let members: String =
        members.map(|(name, value)| format!("<{name}>{}</{name}>", escaped(value))).collect();
    let mut response =
        Response::new(full(format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>{members}</Error>")));
    *response.status_mut() = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    put(response.headers_mut(), "content-type", "application/xml");
    // The rest of the form may not have been read.
    put(response.headers_mut(), "connection", "close");
    response
}

fn argument(name: &'static str, value: &str, why: &str) -> AwsError {
    Error::InvalidArgument { name, value: value.to_owned(), why: why.to_owned() }.into()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn put(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn full(text: impl Into<Bytes>) -> Body {
    Full::new(text.into()).map_err(|never: Infallible| match never {}).boxed_unsync()
}
