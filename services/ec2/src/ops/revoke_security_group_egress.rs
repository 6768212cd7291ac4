//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RevokeSecurityGroupEgress.html>

use super::revoke_security_group_ingress::{Input, Output, revoke};
use crate::Error;
use escale_service::{Cx, Operation};

pub(crate) struct RevokeSecurityGroupEgress;

impl Operation for RevokeSecurityGroupEgress {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        revoke(cx, input, true)
    }
}
