//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketCors.html>

use crate::choices::ChecksumAlgorithm;
use crate::{Error, cors, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::s3::{BucketName, CorsMethod, CorsRule, CorsRuleId, HeaderPattern, OriginPattern};

pub(crate) struct PutBucketCors;

#[derive(Wire)]
pub(crate) struct Input {
    bucket: BucketName,
    #[wire("CORSConfiguration")]
    cors_configuration: Configuration,
    #[wire("ContentMD5")]
    content_md5: Option<String>,
    checksum_algorithm: Option<ChecksumAlgorithm>,
    expected_bucket_owner: Option<String>,
}

#[derive(Wire)]
struct Configuration {
    #[wire("CORSRules")]
    cors_rules: Vec<Rule>,
}

/// A [`CorsRule`] as it is requested: AWS's model has no enumeration of the methods, so they are checked after the permission.
#[derive(Wire)]
struct Rule {
    #[wire("ID")]
    id: Option<CorsRuleId>,
    allowed_headers: Option<Vec<HeaderPattern>>,
    allowed_methods: Vec<String>,
    allowed_origins: Vec<OriginPattern>,
    expose_headers: Option<Vec<HeaderPattern>>,
    max_age_seconds: Option<u32>,
}

fn rule(rule: Rule) -> Result<CorsRule, Error> {
    let method = |name: String| {
        let why = || format!("Found unsupported HTTP method in CORS config. Unsupported method is {name}");
        name.parse::<CorsMethod>().map_err(|_| Error::InvalidRequest(why()))
    };
    Ok(CorsRule {
        id: rule.id,
        allowed_headers: rule.allowed_headers,
        allowed_methods: rule.allowed_methods.into_iter().map(method).collect::<Result<_, _>>()?,
        allowed_origins: rule.allowed_origins,
        expose_headers: rule.expose_headers,
        max_age_seconds: rule.max_age_seconds,
    })
}

impl Operation for PutBucketCors {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![rules::bucket_arn(&input.bucket)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let list = input.cors_configuration.cors_rules;
        let list = list.into_iter().map(rule).collect::<Result<Vec<_>, _>>()?;
        cors::check(&list)?;
        let owner = input.expected_bucket_owner.as_deref();
        rules::update(cx, &input.bucket, owner, |b| b.cors = Some(list))
    }
}
