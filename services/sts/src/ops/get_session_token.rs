//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html>

use crate::{
    Error,
    session::{self, Credentials},
};
use escale_base::{AwsError, Wire};
use escale_service::{Cx, Operation, Principal};
use escale_tables::iam::{SessionOf, User};

pub(crate) struct GetSessionToken;

#[derive(Wire)]
pub(crate) struct Input {
    duration_seconds: Option<i64>,
}

#[derive(Wire)]
pub(crate) struct Output {
    credentials: Credentials,
}

/// AWS's limits: twelve hours by default, and at most one hour for the root account.
const DEFAULT_SECS: i64 = 43_200;
const RANGE_SECS: std::ops::RangeInclusive<i64> = 900..=129_600;
const ROOT_SECS: i64 = 3600;

impl Operation for GetSessionToken {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let secs = input.duration_seconds.unwrap_or(DEFAULT_SECS);
        if !RANGE_SECS.contains(&secs) {
            return Err(Error::Validation(format!(
                "1 validation error detected: Value '{secs}' at 'durationSeconds' failed to satisfy constraint: Member must be between {} and {}",
                RANGE_SECS.start(),
                RANGE_SECS.end()
            )));
        }
        // As on AWS, only long-term credentials may call this operation.
        if cx.caller.in_session {
            return Err(Error::SessionCannot("GetSessionToken"));
        }
        let (of, secs) = match &cx.caller.principal {
            Principal::Root => (SessionOf::Root, secs.min(ROOT_SECS)),
            Principal::User { name } => {
                let id = cx.tx.get::<User>(name).map(|u| u.id.clone()).ok_or_else(AwsError::internal)?;
                (SessionOf::User { name: name.as_str().into(), id }, secs)
            }
            _ => return Err(Error::SessionCannot("GetSessionToken")),
        };
        Ok(Output { credentials: session::issue(cx, of, secs) })
    }
}
