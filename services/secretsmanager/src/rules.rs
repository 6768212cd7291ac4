//! Checks and changes that the operations share.

use crate::Error;
use base64::Engine as _;
use escale_base::{Arn, Secret, Timestamp, ids};
use escale_service::{Cx, Principal};
use escale_store::Image;
use escale_tables::secretsmanager::{
    OwningService, SecretName, SecretVersionId, StagingLabel, StoredSecret, Version, VersionValue,
};
use std::sync::Arc;

pub(crate) const CURRENT: &str = "AWSCURRENT";
pub(crate) const PREVIOUS: &str = "AWSPREVIOUS";
pub(crate) const PENDING: &str = "AWSPENDING";

/// AWS keeps about 100 versions without a staging label and deletes older ones.
const DEPRECATED_KEPT: usize = 100;

/// Finds a secret by its name, its ARN, or its ARN without the six characters at the end. Does not find a secret whose recovery
/// window has ended.
pub(crate) fn find(image: &Image, id: &str, now: Timestamp) -> Result<Arc<StoredSecret>, Error> {
    let found = match id.parse::<Arn>() {
        Err(_) => image.get::<StoredSecret>(id),
        Ok(arn) => {
            let name = arn.resource.strip_prefix("secret:").unwrap_or_default();
            let by_full_arn =
                name.get(..name.len().saturating_sub(7)).and_then(|n| image.get::<StoredSecret>(n));
            by_full_arn.filter(|s| s.arn == arn).or_else(|| {
                let partial = image.get::<StoredSecret>(name);
                partial.filter(|s| (&s.arn.region, &s.arn.account) == (&arn.region, &arn.account))
            })
        }
    };
    // After the end of its recovery window, a secret exists until the reconciler deletes it.
    found.filter(|s| s.deletion.is_none_or(|d| d.at > now)).ok_or(Error::NoSecret)
}

/// Like [`find`], but refuses a secret that is marked for deletion.
pub(crate) fn find_live(cx: &Cx<'_>, id: &str) -> Result<Arc<StoredSecret>, Error> {
    let secret = find(cx.tx, id, cx.now)?;
    match secret.deletion {
        None => Ok(secret),
        Some(_) => Err(Error::marked_for_deletion()),
    }
}

/// Checks that the caller may change the secret. A secret that a service manages can only be changed by that service.
pub(crate) fn may_change(cx: &Cx<'_>, secret: &StoredSecret) -> Result<(), Error> {
    let Some(owner) = &secret.owning_service else { return Ok(()) };
    match owner_of(cx) {
        Some(caller) if caller == *owner => Ok(()),
        _ => Err(Error::Request(format!(
            "You can't change the secret {} here: {owner} manages it. Change the resource that the secret belongs to",
            secret.name
        ))),
    }
}

/// The calling service, such as `rds` for `rds.amazonaws.com`.
pub(crate) fn owner_of(cx: &Cx<'_>) -> Option<OwningService> {
    match &cx.caller.principal {
        Principal::Service(name) => Some(name.trim_end_matches(".amazonaws.com").into()),
        _ => None,
    }
}

/// The ARN for the evaluation of policies: that of the secret, or the requested one if there is no such secret.
pub(crate) fn arn_for_policy(cx: &Cx<'_>, id: &str) -> Vec<String> {
    vec![match find(cx.tx, id, cx.now) {
        Ok(secret) => secret.arn.to_string(),
        Err(_) if id.starts_with("arn:") => id.to_owned(),
        Err(_) => cx.arn("secretsmanager", format!("secret:{id}")).to_string(),
    }]
}

pub(crate) fn check_name(name: &SecretName, managed: bool) -> Result<(), Error> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "/_+=.@-".contains(c) || (managed && c == '!');
    if name.is_empty() || name.len() > 512 || !name.chars().all(fits) {
        return Err(Error::Parameter(
            "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!"
                .into(),
        ));
    }
    Ok(())
}

/// The value from a request. At most one of the two can be set.
pub(crate) fn value(
    text: Option<Secret<String>>,
    binary: Option<Secret<String>>,
) -> Result<Option<VersionValue>, Error> {
    let size = match (&text, &binary) {
        (Some(_), Some(_)) => {
            return Err(Error::Parameter(
                "You can't specify both a binary secret value and a string value.".into(),
            ));
        }
        (Some(text), None) => text.reveal().len(),
        (None, Some(binary)) => base64::engine::general_purpose::STANDARD
            .decode(binary.reveal())
            .map_err(|_| Error::Parameter("SecretBinary is not base64".into()))?
            .len(),
        (None, None) => return Ok(None),
    };
    if size > 65_536 {
        return Err(Error::Parameter(format!(
            "The secret value has {size} bytes, but can have at most 65536"
        )));
    }
    Ok(text.map(VersionValue::Text).or(binary.map(VersionValue::Binary)))
}

/// Adds a version and moves `stages` to it. A repeated request, with the same token and value, changes nothing.
pub(crate) fn add_version(
    secret: &mut StoredSecret,
    token: Option<SecretVersionId>,
    value: VersionValue,
    stages: &[StagingLabel],
    now: Timestamp,
) -> Result<SecretVersionId, Error> {
    let id = token.unwrap_or_else(|| SecretVersionId(ids::random_uuid()));
    match secret.versions.iter().find(|v| v.id == id) {
        Some(known) if known.value == value => return Ok(id),
        Some(_) => return Err(Error::VersionExists(id)),
        None => {}
    }
    secret.versions.push(Version { id: id.clone(), value, stages: vec![], created: now });
    for stage in stages {
        move_stage(secret, stage, Some(&id));
    }
    secret.changed = now;
    delete_old_versions(secret);
    Ok(id)
}

/// Moves a staging label to a version, or removes it. The version that loses AWSCURRENT gets AWSPREVIOUS.
pub(crate) fn move_stage(secret: &mut StoredSecret, stage: &StagingLabel, to: Option<&SecretVersionId>) {
    let holder = holder(secret, stage).map(|v| v.id.clone());
    if holder.as_ref() == to {
        return;
    }
    for version in &mut secret.versions {
        version.stages.retain(|s| s != stage);
        if to == Some(&version.id) {
            version.stages.push(stage.clone());
        }
    }
    if stage == CURRENT
        && let Some(old) = holder
    {
        move_stage(secret, &PREVIOUS.into(), Some(&old));
        // The new current version may have had AWSPREVIOUS before.
        for version in secret.versions.iter_mut().filter(|v| to == Some(&v.id)) {
            version.stages.retain(|s| s != PREVIOUS);
        }
    }
}

pub(crate) fn holder<'a>(secret: &'a StoredSecret, stage: &StagingLabel) -> Option<&'a Version> {
    secret.versions.iter().find(|v| v.stages.contains(stage))
}

fn delete_old_versions(secret: &mut StoredSecret) {
    let deprecated = secret.versions.iter().filter(|v| v.stages.is_empty()).count();
    let mut surplus = deprecated.saturating_sub(DEPRECATED_KEPT);
    secret.versions.retain(|v| {
        let delete = surplus > 0 && v.stages.is_empty();
        surplus -= usize::from(delete);
        !delete
    });
}
