//! <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html>

use crate::{Error, rules};
use escale_base::{Timestamp, Wire};
use escale_service::{Cx, Operation};
use escale_tables::secretsmanager::{Deletion, StoredSecret};

pub(crate) struct DeleteSecret;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

#[derive(Wire)]
pub(crate) struct Input {
    secret_id: String,
    recovery_window_in_days: Option<i64>,
    force_delete_without_recovery: Option<bool>,
}

#[derive(Wire)]
pub(crate) struct Output {
    #[wire("ARN")]
    arn: String,
    name: String,
    deletion_date: Timestamp,
}

impl Operation for DeleteSecret {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        rules::arn_for_policy(cx, &input.secret_id)
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let secret = rules::find(cx.tx, &input.secret_id, cx.now)?;
        rules::may_change(cx, &secret)?;
        let force = input.force_delete_without_recovery == Some(true);
        let at = match input.recovery_window_in_days {
            Some(_) if force => {
                let what =
                    "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.";
                return Err(Error::Parameter(what.into()));
            }
            Some(days) if !(7..=30).contains(&days) => {
                let what = "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).";
                return Err(Error::Parameter(what.into()));
            }
            _ if force => cx.now,
            days => cx.now.plus_ms(days.unwrap_or(30) * DAY_MS),
        };
        if force {
            cx.tx.delete::<StoredSecret>(&secret.name);
        } else if secret.deletion.is_some() {
            return Err(Error::marked_for_deletion());
        } else {
            cx.tx.update(&secret.name, |s: &mut StoredSecret| {
                s.deletion = Some(Deletion { asked: cx.now, at })
            });
        }
        Ok(Output { arn: secret.arn.to_string(), name: secret.name.clone(), deletion_date: at })
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::World;
    use serde_json::json;

    #[test]
    fn can_be_restored_until_the_window_ends() {
        let world = World::new();
        world.call("CreateSecret", json!({"Name": "s", "SecretString": "1"})).unwrap();
        world.call("DeleteSecret", json!({"SecretId": "s", "RecoveryWindowInDays": 7})).unwrap();
        let get = || world.call("GetSecretValue", json!({"SecretId": "s"})).map_err(|e| e.code);
        assert_eq!(get().unwrap_err(), "InvalidRequestException");
        world.call("RestoreSecret", json!({"SecretId": "s"})).unwrap();
        assert!(get().is_ok());
        world.call("DeleteSecret", json!({"SecretId": "s", "RecoveryWindowInDays": 7})).unwrap();
        world.clock.advance_ms(super::DAY_MS * 7);
        assert_eq!(get().unwrap_err(), "ResourceNotFoundException");
        world.call("CreateSecret", json!({"Name": "s", "SecretString": "2"})).unwrap();
    }

    #[test]
    fn both_ways_at_once_are_refused() {
        let world = World::new();
        world.call("CreateSecret", json!({"Name": "s"})).unwrap();
        let both = json!({"SecretId": "s", "RecoveryWindowInDays": 7, "ForceDeleteWithoutRecovery": true});
        assert_eq!(world.call("DeleteSecret", both).unwrap_err().code, "InvalidParameterException");
        world.call("DeleteSecret", json!({"SecretId": "s", "ForceDeleteWithoutRecovery": true})).unwrap();
        world.call("CreateSecret", json!({"Name": "s"})).unwrap();
    }
}
