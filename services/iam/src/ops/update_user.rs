//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateUser.html>

use crate::{Error, entity};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::iam::{AccessKey, Holder, SessionOf, User, UserName};

pub(crate) struct UpdateUser;

#[derive(Wire)]
pub(crate) struct Input {
    user_name: UserName,
    new_path: Option<String>,
    new_user_name: Option<UserName>,
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
            // Keys and sessions name their user, and users are stored by name.
            let keys: Vec<_> =
                cx.tx.scan::<AccessKey>().filter_map(|key| renamed(&key, &user, &name)).collect();
            for key in keys {
                cx.tx.put(key);
            }
            cx.tx.delete::<User>(&input.user_name);
            user.name = name;
        }
        cx.tx.put(user);
        Ok(())
    }
}

/// The key with the user's new name; `None` for the key of another user.
fn renamed(key: &AccessKey, user: &User, name: &UserName) -> Option<AccessKey> {
    let mut key = key.clone();
    match &mut key.holder {
        Holder::User(holder) if *holder == user.name => *holder = name.clone(),
        Holder::Session { of: SessionOf::User { name: holder, id }, .. } if *id == user.id => {
            *holder = name.clone();
        }
        Holder::User(_) | Holder::Session { .. } => return None,
    }
    Some(key)
}
