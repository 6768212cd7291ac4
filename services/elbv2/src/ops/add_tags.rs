//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_AddTags.html>

use crate::{Error, rules};
use escale_base::{Tag, Wire, tags};
use escale_service::{Cx, Operation};
use escale_store::Tx;
use escale_tables::elbv2::{Listener, LoadBalancer, Rule, TargetGroup};

pub(crate) struct AddTags;

#[derive(Wire)]
pub(crate) struct Input {
    resource_arns: Vec<String>,
    tags: Vec<Tag>,
}

/// AWS's quota of tags on a resource.
const TAGS: usize = 50;

impl Operation for AddTags {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        input.resource_arns.clone()
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        rules::tags(&input.tags)?;
        for arn in &input.resource_arns {
            let count = change(cx.tx, arn, |tags| {
                tags::merge(tags, input.tags.iter().cloned());
                tags.len()
            })?;
            if count > TAGS {
                return Err(Error::TooManyTags { most: TAGS, arn: arn.clone() });
            }
        }
        Ok(())
    }
}

/// Changes the tags of the resource with this ARN.
pub(super) fn change<T>(tx: &mut Tx, arn: &str, change: impl FnOnce(&mut Vec<Tag>) -> T) -> Result<T, Error> {
    let changed = match arn.split(':').nth(5).and_then(|r| r.split('/').next()) {
        Some("loadbalancer") => tx.update(arn, |r: &mut LoadBalancer| change(&mut r.tags)),
        Some("targetgroup") => tx.update(arn, |r: &mut TargetGroup| change(&mut r.tags)),
        Some("listener") => tx.update(arn, |r: &mut Listener| change(&mut r.tags)),
        Some("listener-rule") => tx.update(arn, |r: &mut Rule| change(&mut r.tags)),
        _ => None,
    };
    changed.ok_or_else(|| Error::NoTagged(arn.to_owned()))
}
