//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_DeleteOriginRequestPolicy.html>

use crate::{Error, policies};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::{OriginRequestPolicy, OriginRequestPolicyId};

pub(crate) struct DeleteOriginRequestPolicy;

#[derive(Wire)]
pub(crate) struct Input {
    id: OriginRequestPolicyId,
    if_match: Option<String>,
}

impl Operation for DeleteOriginRequestPolicy {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        policies::delete::<OriginRequestPolicy>(cx, &input.id, input.if_match.as_deref())
    }
}
