//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetAccessKeyInfo.html>

use crate::Error;
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::iam::{AccessKey, AccessKeyId};

pub(crate) struct GetAccessKeyInfo;

#[derive(Wire)]
pub(crate) struct Input {
    access_key_id: AccessKeyId,
}

#[derive(Wire)]
pub(crate) struct Output {
    account: String,
}

impl Operation for GetAccessKeyInfo {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let id = input.access_key_id;
        if cx.tx.has::<AccessKey>(&id) {
            Ok(Output { account: cx.config.account.clone() })
        } else {
            Err(Error::Validation(format!("The access key {id} does not belong to this account")))
        }
    }
}
