//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>

use escale_base::{AwsError, Wire};
use escale_service::{Cx, Operation, Principal};
use escale_tables::iam::User;

pub(crate) struct GetCallerIdentity;

#[derive(Wire)]
pub(crate) struct Output {
    user_id: String,
    account: String,
    arn: String,
}

impl Operation for GetCallerIdentity {
    type Input = ();
    type Output = Output;
    type Error = AwsError;

    fn run(cx: &mut Cx<'_>, _: ()) -> Result<Output, AwsError> {
        let principal = &cx.caller.principal;
        let user_id = match principal {
            Principal::User { name } => {
                cx.tx.get::<User>(name).map_or_else(|| name.clone(), |u| u.id.to_string())
            }
            Principal::Role { role_id, session, .. } => format!("{role_id}:{session}"),
            _ => cx.config.account.clone(),
        };
        Ok(Output { user_id, account: cx.config.account.clone(), arn: principal.arn(&cx.config.account) })
    }
}
