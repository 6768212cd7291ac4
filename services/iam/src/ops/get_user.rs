//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetUser.html>

use crate::{Error, entity, shapes};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::iam::{User, UserName};

pub(crate) struct GetUser;

#[derive(Wire)]
pub(crate) struct Input {
    user_name: Option<UserName>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) user: shapes::UserShape,
}

impl Operation for GetUser {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        super::user_or_caller(cx, input.user_name.clone())
            .map_or_else(|_| Vec::new(), |name| vec![entity::arn_of::<User>(cx, &name)])
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let name = super::user_or_caller(cx, input.user_name)?;
        let user = entity::get::<User>(cx.tx, &name)?;
        Ok(Output { user: shapes::user(&user, cx.config) })
    }
}
