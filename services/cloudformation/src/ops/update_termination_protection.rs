//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_UpdateTerminationProtection.html>

use crate::{Error, find};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudformation::{Phase, Stack, StackArn};

pub(crate) struct UpdateTerminationProtection;

#[derive(Wire)]
pub(crate) struct Input {
    enable_termination_protection: bool,
    stack_name: String,
}

#[derive(Wire)]
pub(crate) struct Output {
    stack_id: StackArn,
}

impl Operation for UpdateTerminationProtection {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        super::stack_arns(cx, &input.stack_name)
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let stack = find::stack(cx.tx, &input.stack_name)?;
        if matches!(stack.phase, Phase::Deleting | Phase::Deleted) {
            let name = &stack.name;
            return Err(Error::invalid(format!(
                "Stack [{name}] is deleted or being deleted, so its termination protection cannot be changed"
            )));
        }
        // <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-protect-stacks.html>
        if let Some(nested) = &stack.nested {
            return Err(Error::invalid(format!(
                "The termination protection of the nested stack [{}] is that of its root {}",
                stack.name, nested.root
            )));
        }
        cx.tx.update::<Stack, _>(&stack.uuid, |s| {
            s.termination_protection = input.enable_termination_protection;
        });
        Ok(Output { stack_id: stack.arn.clone() })
    }
}
