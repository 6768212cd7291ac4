//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreatePublicKey.html>

use crate::{
    Error,
    error::{Kind, invalid},
    rules,
};
use escale_base::{Timestamp, Wire};
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::{ETag, PublicKey, PublicKeyConfig, PublicKeyId};

pub(crate) struct CreatePublicKey;

#[derive(Wire)]
pub(crate) struct Input {
    public_key_config: PublicKeyConfig,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) public_key: Shape,
    pub(crate) location: String,
    #[wire("ETag")]
    pub(crate) etag: ETag,
}

#[derive(Debug, Wire)]
pub(crate) struct Shape {
    pub id: PublicKeyId,
    pub created_time: Timestamp,
    pub public_key_config: PublicKeyConfig,
}

pub(super) fn shape(row: &PublicKey) -> Shape {
    Shape { id: row.id.clone(), created_time: row.modified, public_key_config: row.config.clone() }
}

impl Operation for CreatePublicKey {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let config = input.public_key_config;
        check(&config)?;
        if let Some(same) = cx.tx.scan::<PublicKey>().find(|r| r.config.name == config.name) {
            if same.config != config {
                return Err(Error::Exists { kind: Kind::PublicKey, name: config.name.into() });
            }
            return Ok(output(cx, &same));
        }
        let row = PublicKey {
            id: PublicKeyId(rules::random_id('K')),
            config,
            etag: rules::new_etag(),
            modified: cx.now,
        };
        let output = output(cx, &row);
        cx.tx.put(row);
        Ok(output)
    }
}

fn output(cx: &Cx<'_>, row: &PublicKey) -> Output {
    let location = format!("http://{}/2020-05-31/public-key/{}", cx.caller.host, row.id);
    Output { public_key: shape(row), location, etag: row.etag.clone() }
}

/// The only size of RSA keys that CloudFront accepts. ECDSA keys have one curve, and so one size.
const BITS: usize = 2048;

pub(super) fn check(config: &PublicKeyConfig) -> Result<(), Error> {
    let refuse = |why: &str| {
        invalid(format!(
            "EncodedKey must be an RSA public key of {BITS} bits, or an ECDSA public key on the curve prime256v1: it {why}"
        ))
    };
    match escale_cdn::PublicKey::from_pem(&config.encoded_key).map(|key| key.rsa_bits()) {
        Ok(None | Some(BITS)) => Ok(()),
        Ok(Some(bits)) => Err(refuse(&format!("has {bits} bits"))),
        Err(why) => Err(refuse(why)),
    }
}
