//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteUser.html>

use crate::{Error, entity};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::iam::{AccessKey, Holder, User, UserName};

pub(crate) struct DeleteUser;

#[derive(Wire)]
pub(crate) struct Input {
    user_name: UserName,
}

impl Operation for DeleteUser {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![entity::arn_of::<User>(cx, &input.user_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let user = entity::get::<User>(cx.tx, &input.user_name)?;
        let held = Holder::User(input.user_name.clone());
        if cx.tx.scan::<AccessKey>().any(|k| k.holder == held) {
            return Err(Error::DeleteConflict("delete access keys"));
        }
        entity::must_have_no_policies(&*user)?;
        cx.tx.delete::<User>(&input.user_name);
        Ok(())
    }
}
