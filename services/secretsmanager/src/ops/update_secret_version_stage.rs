//! <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UpdateSecretVersionStage.html>

use crate::{Error, rules, shapes::Named};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::secretsmanager::{SecretVersionId, StagingLabel};

pub(crate) struct UpdateSecretVersionStage;

#[derive(Wire)]
pub(crate) struct Input {
    secret_id: String,
    version_stage: StagingLabel,
    remove_from_version_id: Option<SecretVersionId>,
    move_to_version_id: Option<SecretVersionId>,
}

impl Operation for UpdateSecretVersionStage {
    type Input = Input;
    type Output = Named;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        rules::arn_for_policy(cx, &input.secret_id)
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Named, Error> {
        let mut secret = (*rules::find_live(cx, &input.secret_id)?).clone();
        rules::may_change(cx, &secret)?;
        let stage = &input.version_stage;
        let (from, to) = (input.remove_from_version_id.as_ref(), input.move_to_version_id.as_ref());
        for id in from.iter().chain(&to) {
            if !secret.versions.iter().any(|v| v.id == **id) {
                return Err(Error::NoVersion(format!("VersionId: {id}")));
            }
        }
        let holder = rules::holder(&secret, stage).map(|v| v.id.clone());
        match (&holder, from, to) {
            (_, None, None) => {
                return Err(Error::Parameter("Set MoveToVersionId or RemoveFromVersionId.".into()));
            }
            (_, _, None) if *stage == rules::CURRENT => {
                return Err(Error::Parameter(
                    "You can't remove the staging label AWSCURRENT, only move it.".into(),
                ));
            }
            (Some(held), _, Some(to)) if held == to => {}
            (Some(held), from, _) if from != Some(held) => {
                return Err(Error::Parameter(format!(
                    "The parameter RemoveFromVersionId can't be empty or another version. Staging label {stage} is \
                     currently attached to version {held}, so you must explicitly reference that version in \
                     RemoveFromVersionId."
                )));
            }
            (None, Some(from), _) => {
                let what = format!("Staging label {stage} is not attached to version {from}.");
                return Err(Error::Parameter(what));
            }
            _ => {}
        }
        rules::move_stage(&mut secret, stage, to);
        if *stage == rules::CURRENT
            && let Some(to) = to
            && rules::holder(&secret, &rules::PENDING.into()).is_some_and(|v| v.id == *to)
        {
            // Moving AWSCURRENT to the pending version completes a rotation.
            rules::move_stage(&mut secret, &rules::PENDING.into(), None);
        }
        secret.changed = cx.now;
        let answer = Named::of(&secret);
        cx.tx.put(secret);
        Ok(answer)
    }
}
