//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeleteListener.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};

pub(crate) struct DeleteListener;

#[derive(Wire)]
pub(crate) struct Input {
    listener_arn: String,
}

impl Operation for DeleteListener {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![input.listener_arn.clone()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        rules::listener(cx, &input.listener_arn)?;
        rules::delete_listener(cx.tx, &input.listener_arn);
        rules::clean_up_unused_groups(cx.tx);
        Ok(())
    }
}
