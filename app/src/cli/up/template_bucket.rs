//! Templates that are too large for a request: CloudFormation reads them from a bucket of the caller's account instead.
//!
//! The bucket is private, and one for each account and region. A template is in it only until its change set is complete.

use crate::cli::{
    client::{Client, is_code},
    remote::Remote,
};
use anyhow::{Context, Result, bail};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use escale_blueprint::TEMPLATE_BODY_BYTES;
use http::Method;
use md5::{Digest, Md5};

/// CloudFormation's limit for a template in S3.
/// Source: <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>
pub(crate) const TEMPLATE_URL_BYTES: usize = 1 << 20;

/// The region in which a bucket is created without a constraint.
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html>
const WITHOUT_CONSTRAINT: &str = "us-east-1";

const PRIVATE: &str = "<PublicAccessBlockConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><BlockPublicAcls>true\
    </BlockPublicAcls><IgnorePublicAcls>true</IgnorePublicAcls><BlockPublicPolicy>true</BlockPublicPolicy><RestrictPublicBuckets>\
    true</RestrictPublicBuckets></PublicAccessBlockConfiguration>";

/// How a request for a change set has its template.
pub(super) enum Sent {
    Body(String),
    Object(Object),
}

pub(super) struct Object {
    path: String,
    account: String,
    url: String,
}

impl Sent {
    /// Uploads the template if it must be.
    pub(super) async fn of(client: &Client, stack: &str, template: &str) -> Result<Sent> {
        match client.as_remote() {
            Some(remote) if template.len() > TEMPLATE_BODY_BYTES => {
                Ok(Sent::Object(upload(client, remote, stack, template).await?))
            }
            _ => Ok(Sent::Body(template.to_owned())),
        }
    }

    /// The parameter of the request.
    pub(super) fn parameter(&self) -> (String, String) {
        match self {
            Sent::Body(text) => ("TemplateBody".to_owned(), text.clone()),
            Sent::Object(object) => ("TemplateURL".to_owned(), object.url.clone()),
        }
    }

    /// Deletes the object, once CloudFormation has read it.
    pub(super) async fn remove(&self, client: &Client) -> Result<()> {
        let Sent::Object(object) = self else { return Ok(()) };
        let owner = [("x-amz-expected-bucket-owner", object.account.as_str())];
        client.rest("s3", Method::DELETE, &object.path, &owner, Bytes::new()).await?;
        Ok(())
    }
}

async fn upload(client: &Client, remote: &Remote, stack: &str, template: &str) -> Result<Object> {
    let caller = client.query("sts", "GetCallerIdentity", &[]).await?;
    let account = caller.text_of("Account").to_owned();
    let bucket = format!("escale-templates-{account}-{}", remote.region());
    let key = format!("{stack}-{}.json", escale_base::ids::random_hex(12));
    let object = Object {
        path: format!("/{bucket}/{key}"),
        url: format!("{}/{key}", remote.bucket_url().replace("BUCKET", &bucket)),
        account,
    };
    let what = || format!("the template cannot be uploaded to the bucket {bucket}");
    match put(client, &object, template).await {
        Err(error) if is_code(&error, "NoSuchBucket") => {}
        done => return done.with_context(what).map(|()| object),
    }
    create(client, &bucket, &object.account, remote.region()).await.with_context(what)?;
    put(client, &object, template).await.with_context(what)?;
    Ok(object)
}

/// Names of buckets are public: only with its owner's account in the request it is certain that nobody else has this one, and
/// could replace the template.
async fn put(client: &Client, object: &Object, template: &str) -> Result<()> {
    let headers =
        [("x-amz-expected-bucket-owner", object.account.as_str()), ("content-type", "application/json")];
    let body = Bytes::copy_from_slice(template.as_bytes());
    client.rest("s3", Method::PUT, &object.path, &headers, body).await?;
    Ok(())
}

async fn create(client: &Client, bucket: &str, account: &str, region: &str) -> Result<()> {
    let constraint = match region {
        WITHOUT_CONSTRAINT => Bytes::new(),
        region => Bytes::from(format!(
            "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LocationConstraint>{region}\
             </LocationConstraint></CreateBucketConfiguration>"
        )),
    };
    match client.rest("s3", Method::PUT, &format!("/{bucket}"), &[], constraint).await {
        // Another deployment was faster.
        Err(error) if is_code(&error, "BucketAlreadyOwnedByYou") => {}
        Err(error) if is_code(&error, "BucketAlreadyExists") => {
            bail!("another account has a bucket of this name")
        }
        done => drop(done?),
    }
    let digest = STANDARD.encode(Md5::digest(PRIVATE.as_bytes()));
    let headers = [("content-md5", digest.as_str()), ("x-amz-expected-bucket-owner", account)];
    let path = format!("/{bucket}?publicAccessBlock=");
    client.rest("s3", Method::PUT, &path, &headers, Bytes::from_static(PRIVATE.as_bytes())).await?;
    Ok(())
}
