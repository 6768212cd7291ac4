//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_UpdateSecurityGroupRuleDescriptionsEgress.html>

use super::update_security_group_rule_descriptions_ingress::{Input, describe};
use crate::{Error, shapes::Return};
use escale_service::{Cx, Operation};

pub(crate) struct UpdateSecurityGroupRuleDescriptionsEgress;

impl Operation for UpdateSecurityGroupRuleDescriptionsEgress {
    type Input = Input;
    type Output = Return;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Return, Error> {
        describe(cx, input, true)
    }
}
