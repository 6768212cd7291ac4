//! <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html>

use crate::{Error, rules};
use escale_base::{Timestamp, Wire};
use escale_service::{Cx, Operation};
use escale_tables::secretsmanager::{Deletion, SecretName, StoredSecret};

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
    name: SecretName,
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
            // This also ends the recovery window of a secret that is already marked for deletion.
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
    use crate::SecretsManager;
    use escale_harness::Harness;
    use serde_json::json;

    #[test]
    fn deleted_secret_can_be_restored_until_the_window_ends() {
        let cloud = Harness::of(SecretsManager);
        cloud.ok("CreateSecret", json!({"Name": "s", "SecretString": "1"}));
        cloud.ok("DeleteSecret", json!({"SecretId": "s", "RecoveryWindowInDays": 7}));
        let get = || cloud.call("GetSecretValue", json!({"SecretId": "s"})).map_err(|e| e.code);
        assert_eq!(get().unwrap_err(), "InvalidRequestException");
        cloud.ok("RestoreSecret", json!({"SecretId": "s"}));
        assert!(get().is_ok());
        cloud.ok("DeleteSecret", json!({"SecretId": "s", "RecoveryWindowInDays": 7}));
        cloud.clock.advance_ms(super::DAY_MS * 7);
        assert_eq!(get().unwrap_err(), "ResourceNotFoundException");
        cloud.ok("CreateSecret", json!({"Name": "s", "SecretString": "2"}));
    }

    #[test]
    fn refuses_recovery_window_together_with_force() {
        let cloud = Harness::of(SecretsManager);
        cloud.ok("CreateSecret", json!({"Name": "s"}));
        let both = json!({"SecretId": "s", "RecoveryWindowInDays": 7, "ForceDeleteWithoutRecovery": true});
        assert_eq!(cloud.error("DeleteSecret", both).code, "InvalidParameterException");
        cloud.ok("DeleteSecret", json!({"SecretId": "s", "ForceDeleteWithoutRecovery": true}));
        cloud.ok("CreateSecret", json!({"Name": "s"}));
    }
}
