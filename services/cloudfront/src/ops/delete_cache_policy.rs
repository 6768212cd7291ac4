//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_DeleteCachePolicy.html>

use crate::{Error, policies};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::{CachePolicy, CachePolicyId};

pub(crate) struct DeleteCachePolicy;

#[derive(Wire)]
pub(crate) struct Input {
    id: CachePolicyId,
    if_match: Option<String>,
}

impl Operation for DeleteCachePolicy {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        policies::delete::<CachePolicy>(cx, &input.id, input.if_match.as_deref())
    }
}
