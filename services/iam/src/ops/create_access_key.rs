//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateAccessKey.html>

use crate::choices::KeyStatus;
use crate::{Error, entity};
use escale_base::{Secret, Timestamp, Wire, ids};
use escale_service::{Cx, Operation};
use escale_tables::iam::{AccessKey, AccessKeyId, Holder, User, UserName};

pub(crate) struct CreateAccessKey;

#[derive(Wire)]
pub(crate) struct Input {
    user_name: Option<UserName>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) access_key: Key,
}

#[derive(Wire)]
pub(crate) struct Key {
    user_name: UserName,
    pub(crate) access_key_id: AccessKeyId,
    status: KeyStatus,
    pub(crate) secret_access_key: Secret<String>,
    create_date: Timestamp,
}

/// AWS's quota on the access keys of a user.
const KEYS_MAX: usize = 2;

impl Operation for CreateAccessKey {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        super::user_or_caller(cx, input.user_name.clone())
            .map_or_else(|_| Vec::new(), |name| vec![entity::arn_of::<User>(cx, &name)])
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let user_name = super::user_or_caller(cx, input.user_name)?;
        entity::get::<User>(cx.tx, &user_name)?;
        let held = Holder::User(user_name.clone());
        if cx.tx.scan::<AccessKey>().filter(|k| k.holder == held).count() >= KEYS_MAX {
            return Err(Error::Quota { quota: "AccessKeysPerUser", limit: KEYS_MAX });
        }
        let key = AccessKey {
            id: AccessKeyId(format!("AKIA{}", ids::random_upper(16))),
            // AWS's secrets have 40 characters, too.
            secret: Secret::new(ids::random_hex(40)),
            holder: held,
            active: true,
            created: cx.now,
        };
        let shape = Key {
            user_name,
            access_key_id: key.id.clone(),
            status: KeyStatus::Active,
            secret_access_key: key.secret.clone(),
            create_date: key.created,
        };
        cx.tx.put(key);
        Ok(Output { access_key: shape })
    }
}
