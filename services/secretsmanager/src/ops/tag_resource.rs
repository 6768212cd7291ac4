//! <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_TagResource.html>

use crate::{Error, rules};
use escale_base::{Tag, Wire, tags};
use escale_service::{Cx, Operation};
use escale_tables::secretsmanager::StoredSecret;

pub(crate) struct TagResource;

#[derive(Wire)]
pub(crate) struct Input {
    secret_id: String,
    tags: Vec<Tag>,
}

impl Operation for TagResource {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        rules::arn_for_policy(cx, &input.secret_id)
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let secret = rules::find_live(cx, &input.secret_id)?;
        cx.tx.update(&secret.name, |s: &mut StoredSecret| tags::merge(&mut s.tags, input.tags));
        Ok(())
    }
}
