//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAccessKeys.html>

use crate::choices::KeyStatus;
use crate::{Error, entity, paging};
use escale_base::{Timestamp, Wire};
use escale_service::{Cx, Operation};
use escale_tables::iam::{AccessKey, AccessKeyId, Holder, User, UserName};

pub(crate) struct ListAccessKeys;

#[derive(Wire)]
pub(crate) struct Input {
    user_name: Option<UserName>,
    marker: Option<String>,
    max_items: Option<usize>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) access_key_metadata: Vec<Key>,
    is_truncated: bool,
    marker: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Key {
    user_name: UserName,
    pub(crate) access_key_id: AccessKeyId,
    status: KeyStatus,
    create_date: Timestamp,
}

impl Operation for ListAccessKeys {
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
        let keys = cx.tx.scan::<AccessKey>().filter(|k| k.holder == held);
        let cut = paging::cut(keys, |k| k.id.to_string(), input.marker.as_deref(), input.max_items)?;
        let shape = |key: &AccessKey| Key {
            user_name: user_name.clone(),
            access_key_id: key.id.clone(),
            status: if key.active { KeyStatus::Active } else { KeyStatus::Inactive },
            create_date: key.created,
        };
        Ok(Output {
            access_key_metadata: cut.items.iter().map(|key| shape(key)).collect(),
            is_truncated: cut.is_truncated,
            marker: cut.marker,
        })
    }
}
