//! A minimal S3 client: PUT of an object, signed (SigV4) with the task role's credentials.

use bytes::Bytes;
use hmac::{Hmac, Mac};
use hyper::Request;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use shop_common::{
    http::{self, Error},
    variable,
};
use std::{
    env,
    time::{SystemTime, UNIX_EPOCH},
};

pub struct Bucket {
    /// `http://host:port/bucket` or `https://bucket.s3.region.amazonaws.com`.
    url: String,
    region: String,
    credentials_url: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Credentials {
    access_key_id: String,
    secret_access_key: String,
    token: String,
}

impl Bucket {
    /// If `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL` is set, it is called path-style; otherwise S3 itself is.
    pub fn from_environment(name: String) -> Result<Bucket, String> {
        let region = variable("AWS_REGION").or_else(|_| variable("AWS_DEFAULT_REGION"))?;
        let endpoint = env::var("AWS_ENDPOINT_URL_S3").or_else(|_| env::var("AWS_ENDPOINT_URL")).ok();
        let url = match endpoint {
            Some(endpoint) => format!("{}/{name}", endpoint.trim_end_matches('/')),
            None => format!("https://{name}.s3.{region}.amazonaws.com"),
        };
        // Source: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html>
        let path = variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")?;
        Ok(Bucket { url, region, credentials_url: format!("http://169.254.170.2{path}") })
    }

    /// Keys consist of letters, digits, `-` and `/`, so that nothing needs escaping.
    pub async fn put(&self, key: &str, content_type: &str, body: Bytes) -> Result<(), Error> {
        let credentials: Credentials = serde_json::from_slice(&http::get(&self.credentials_url).await?)?;
        let url = format!("{}/{key}", self.url);
        let (_, rest) = url.split_once("://").ok_or("the endpoint is no URL")?;
        let (host, path) = rest.split_once('/').ok_or("the endpoint is no URL")?;
        let now = timestamp(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs());
        let hash = hex(&Sha256::digest(&body));
        let headers = [
            ("content-type", content_type),
            ("host", host),
            ("x-amz-content-sha256", &hash),
            ("x-amz-date", &now),
            ("x-amz-security-token", &credentials.token),
        ];
        let authorization = self.authorization(&credentials, path, &headers, &hash, &now);
        let mut request = Request::put(&url).header("authorization", authorization);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let body = request.header("content-length", body.len()).body(body.into())?;
        http::send(body).await.map(|_| ())
    }

    /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>
    fn authorization(
        &self,
        credentials: &Credentials,
        path: &str,
        headers: &[(&str, &str)],
        hash: &str,
        now: &str,
    ) -> String {
        let canonical: String =
            headers.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
        let signed: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        let signed = signed.join(";");
        let request = format!("PUT\n/{path}\n\n{canonical}\n{signed}\n{hash}");
        let date = &now[..8];
        let scope = format!("{date}/{}/s3/aws4_request", self.region);
        let to_sign = format!("AWS4-HMAC-SHA256\n{now}\n{scope}\n{}", hex(&Sha256::digest(request)));
        let mut key = format!("AWS4{}", credentials.secret_access_key).into_bytes();
        for part in [date, &self.region, "s3", "aws4_request"] {
            key = hmac(&key, part);
        }
        let signature = hex(&hmac(&key, &to_sign));
        let id = &credentials.access_key_id;
        format!("AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={signed}, Signature={signature}")
    }
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// `20261122T093900Z`, from seconds since 1970.
fn timestamp(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Howard Hinnant's days-to-civil, for days after 1970: eras of 400 years that start on 1 March
    let z = days + 719_468;
    let (era, of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        assert_eq!(timestamp(0), "19700101T000000Z");
        assert_eq!(timestamp(1_709_251_199), "20240229T235959Z");
        assert_eq!(timestamp(1_795_340_340), "20261122T093900Z");
    }
}
