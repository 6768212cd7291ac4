//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AuthorizeSecurityGroupEgress.html>

use super::authorize_security_group_ingress::{Input, Output, authorize};
use crate::Error;
use escale_service::{Cx, Operation};

pub(crate) struct AuthorizeSecurityGroupEgress;

impl Operation for AuthorizeSecurityGroupEgress {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        authorize(cx, input, true)
    }
}
