//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateUser.html>

use crate::{Error, entity};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::iam::{AccessKey, Holder, User};

pub(crate) struct UpdateUser;

#[derive(Wire)]
pub(crate) struct Input {
    user_name: String,
    new_path: Option<String>,
    new_user_name: Option<String>,
}

impl Operation for UpdateUser {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![entity::arn_of::<User>(cx, &input.user_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let mut user = (*entity::get::<User>(cx.tx, &input.user_name)?).clone();
        if let Some(path) = input.new_path {
            user.path = entity::path(Some(path))?;
        }
        if let Some(name) = input.new_user_name.filter(|n| *n != input.user_name) {
            // A new name that differs only in case does not collide with the user's own.
            if !name.eq_ignore_ascii_case(&input.user_name) {
                entity::must_be_new::<User>(cx.tx, &name)?;
            }
            let held = Holder::User(input.user_name.clone());
            // Keys name their user, and users are stored by name.
            let keys: Vec<_> = cx.tx.scan::<AccessKey>().filter(|k| k.holder == held).collect();
            for key in keys {
                cx.tx.put(AccessKey { holder: Holder::User(name.clone()), ..(*key).clone() });
            }
            cx.tx.delete::<User>(&input.user_name);
            user.name = name;
        }
        cx.tx.put(user);
        Ok(())
    }
}
