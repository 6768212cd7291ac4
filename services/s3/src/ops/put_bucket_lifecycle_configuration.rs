//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html>
//!
//! `reconcile/lifecycle.rs` applies the configuration. Transitions are recorded only.

use crate::choices::ChecksumAlgorithm;
use crate::{Error, lifecycle, rules};
use escale_base::{Wire, ids};
use escale_service::{Cx, Operation};
use escale_tables::s3::{BucketName, Lifecycle, LifecycleRule, LifecycleRuleId, TransitionMinimum};

pub(crate) struct PutBucketLifecycleConfiguration;

#[derive(Wire)]
pub(crate) struct Input {
    bucket: BucketName,
    checksum_algorithm: Option<ChecksumAlgorithm>,
    lifecycle_configuration: Option<Configuration>,
    expected_bucket_owner: Option<String>,
    transition_default_minimum_object_size: Option<TransitionMinimum>,
}

#[derive(Wire)]
pub(crate) struct Configuration {
    pub(crate) rules: Vec<LifecycleRule>,
}

#[derive(Wire)]
pub(crate) struct Output {
    transition_default_minimum_object_size: TransitionMinimum,
}

impl Operation for PutBucketLifecycleConfiguration {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![rules::bucket_arn(&input.bucket)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let mut list = input.lifecycle_configuration.ok_or(Error::MalformedXml)?.rules;
        lifecycle::check(&list)?;
        for rule in list.iter_mut().filter(|rule| rule.id.is_none()) {
            rule.id = Some(LifecycleRuleId(ids::random_uuid()));
        }
        let minimum = input.transition_default_minimum_object_size.unwrap_or(TransitionMinimum::All128K);
        let configuration = Lifecycle { rules: list, minimum, put: cx.now };
        let owner = input.expected_bucket_owner.as_deref();
        rules::update(cx, &input.bucket, owner, |b| b.lifecycle = Some(configuration))?;
        Ok(Output { transition_default_minimum_object_size: minimum })
    }
}
