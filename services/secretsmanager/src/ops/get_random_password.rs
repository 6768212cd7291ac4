//! <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetRandomPassword.html>

use crate::{Error, password};
use escale_base::Wire;
use escale_service::{Cx, Operation};

pub(crate) struct GetRandomPassword;

#[derive(Wire)]
pub(crate) struct Output {
    random_password: String,
}

impl Operation for GetRandomPassword {
    type Input = password::Rules;
    type Output = Output;
    type Error = Error;

    fn run(_: &mut Cx<'_>, input: password::Rules) -> Result<Output, Error> {
        Ok(Output { random_password: password::random(&input)? })
    }
}
