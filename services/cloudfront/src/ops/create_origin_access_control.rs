//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreateOriginAccessControl.html>

use crate::{Error, error::Kind, rules};
use escale_base::{AwsError, Wire};
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::{
    ETag, OriginAccessControl, OriginAccessControlConfig, OriginAccessControlId,
    OriginAccessControlOriginType, SigningBehavior, SigningProtocol,
};

pub(crate) struct CreateOriginAccessControl;

#[derive(Wire)]
pub(crate) struct Input {
    origin_access_control_config: OriginAccessControlConfig,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) origin_access_control: Shape,
    pub(crate) location: String,
    #[wire("ETag")]
    pub(crate) etag: ETag,
}

#[derive(Debug, Wire)]
pub(crate) struct Shape {
    pub id: OriginAccessControlId,
    pub origin_access_control_config: OriginAccessControlConfig,
}

pub(super) fn shape(row: &OriginAccessControl) -> Shape {
    Shape { id: row.id.clone(), origin_access_control_config: row.config.clone() }
}

impl Operation for CreateOriginAccessControl {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let config = input.origin_access_control_config;
        check(&config)?;
        if cx.tx.scan::<OriginAccessControl>().any(|r| r.config.name == config.name) {
            return Err(Error::Exists { kind: Kind::OriginAccessControl, name: config.name.into() });
        }
        let row = OriginAccessControl {
            id: OriginAccessControlId(rules::random_id('E')),
            config,
            etag: rules::new_etag(),
            modified: cx.now,
        };
        let output = output(cx, &row);
        cx.tx.put(row);
        Ok(output)
    }
}

fn output(cx: &Cx<'_>, row: &OriginAccessControl) -> Output {
    let location = format!("http://{}/2020-05-31/origin-access-control/{}", cx.caller.host, row.id);
    Output { origin_access_control: shape(row), location, etag: row.etag.clone() }
}

pub(super) fn check(config: &OriginAccessControlConfig) -> Result<(), Error> {
    let SigningProtocol::Sigv4 = config.signing_protocol;
    match config.origin_access_control_origin_type {
        OriginAccessControlOriginType::S3 => {}
        other => {
            return Err(AwsError::not_supported(format_args!("The OriginAccessControlOriginType '{other}'"))
                .hint("Use 's3'.")
                .into());
        }
    }
    match config.signing_behavior {
        SigningBehavior::Always | SigningBehavior::Never => Ok(()),
        other => Err(AwsError::not_supported(format_args!("The SigningBehavior '{other}'"))
            .hint("Use 'always' or 'never'.")
            .into()),
    }
}
