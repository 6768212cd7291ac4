//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_DeleteResponseHeadersPolicy.html>

use crate::{Error, policies};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::{ResponseHeadersPolicy, ResponseHeadersPolicyId};

pub(crate) struct DeleteResponseHeadersPolicy;

#[derive(Wire)]
pub(crate) struct Input {
    id: ResponseHeadersPolicyId,
    if_match: Option<String>,
}

impl Operation for DeleteResponseHeadersPolicy {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        policies::delete::<ResponseHeadersPolicy>(cx, &input.id, input.if_match.as_deref())
    }
}
