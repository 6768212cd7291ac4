//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAccessKey.html>

use crate::{Error, choices::KeyStatus, entity};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::iam::{AccessKey, AccessKeyId, User, UserName};

pub(crate) struct UpdateAccessKey;

#[derive(Wire)]
pub(crate) struct Input {
    user_name: Option<UserName>,
    access_key_id: AccessKeyId,
    status: KeyStatus,
}

impl Operation for UpdateAccessKey {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        super::user_or_caller(cx, input.user_name.clone())
            .map_or_else(|_| Vec::new(), |name| vec![entity::arn_of::<User>(cx, &name)])
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let user_name = super::user_or_caller(cx, input.user_name)?;
        super::key_of(cx, &user_name, &input.access_key_id)?;
        cx.tx.update::<AccessKey, _>(&input.access_key_id, |k| k.active = input.status == KeyStatus::Active);
        Ok(())
    }
}
