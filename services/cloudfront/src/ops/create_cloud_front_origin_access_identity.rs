//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreateCloudFrontOriginAccessIdentity.html>
//!
//! A repeated request with the same caller reference returns the existing identity.

use crate::{Error, error::Kind, rules};
use escale_base::{Wire, ids};
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::{
    CanonicalUserId, ETag, OriginAccessIdentity, OriginAccessIdentityConfig, OriginAccessIdentityId,
};

pub(crate) struct CreateCloudFrontOriginAccessIdentity;

#[derive(Wire)]
pub(crate) struct Input {
    cloud_front_origin_access_identity_config: OriginAccessIdentityConfig,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) cloud_front_origin_access_identity: Shape,
    location: String,
    #[wire("ETag")]
    etag: ETag,
}

#[derive(Debug, Wire)]
pub(crate) struct Shape {
    pub id: OriginAccessIdentityId,
    pub s3_canonical_user_id: CanonicalUserId,
    pub cloud_front_origin_access_identity_config: OriginAccessIdentityConfig,
}

pub(super) fn shape(row: &OriginAccessIdentity) -> Shape {
    Shape {
        id: row.id.clone(),
        s3_canonical_user_id: row.canonical_user.clone(),
        cloud_front_origin_access_identity_config: row.config.clone(),
    }
}

impl Operation for CreateCloudFrontOriginAccessIdentity {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let config = input.cloud_front_origin_access_identity_config;
        let reference = &config.caller_reference;
        let same = cx.tx.scan::<OriginAccessIdentity>().find(|r| r.config.caller_reference == *reference);
        if let Some(same) = same {
            if same.config != config {
                let name = config.caller_reference.into();
                return Err(Error::Exists { kind: Kind::OriginAccessIdentity, name });
            }
            return Ok(output(cx, &same));
        }
        let row = OriginAccessIdentity {
            id: OriginAccessIdentityId(rules::random_id('E')),
            canonical_user: CanonicalUserId(ids::random_hex(96)),
            config,
            etag: rules::new_etag(),
        };
        let output = output(cx, &row);
        cx.tx.put(row);
        Ok(output)
    }
}

fn output(cx: &Cx<'_>, row: &OriginAccessIdentity) -> Output {
    let location = rules::location(cx, &format!("origin-access-identity/cloudfront/{}", row.id));
    Output { cloud_front_origin_access_identity: shape(row), location, etag: row.etag.clone() }
}
