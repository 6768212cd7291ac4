//! Response shapes that several operations share.

use crate::{check::trusted, rules};
use escale_base::{Timestamp, Wire, choice};
use escale_service::Cx;
use escale_store::Image;
use escale_tables::cloudfront::{
    CallerReference, DefaultCacheBehavior, Distribution, DistributionConfig, DistributionHost,
    DistributionId, DistributionName, DistributionSeen, Invalidation, InvalidationId, InvalidationSeen,
    Items, KeyGroup, KeyGroupId, PublicKeyId,
};

choice! {
    pub(crate) enum Status { InProgress = "InProgress", Deployed = "Deployed" }
}

/// Deployed once the plane serves this version.
pub(crate) fn status(image: &Image, row: &Distribution) -> Status {
    let seen = image.get::<DistributionSeen>(&row.id);
    if seen.is_some_and(|s| s.fault.is_none() && s.etag.as_ref() == Some(&row.etag)) {
        Status::Deployed
    } else {
        Status::InProgress
    }
}

#[derive(Debug, Wire)]
pub(crate) struct DistributionShape {
    pub id: DistributionId,
    #[wire("ARN")]
    pub arn: String,
    pub status: Status,
    pub last_modified_time: Timestamp,
    pub in_progress_invalidation_batches: usize,
    pub domain_name: DistributionHost,
    pub active_trusted_signers: NoSigners,
    pub active_trusted_key_groups: ActiveKeyGroups,
    pub distribution_config: DistributionConfig,
}

#[derive(Debug, Wire)]
pub(crate) struct NoSigners {
    pub enabled: bool,
    pub quantity: usize,
}

#[derive(Debug, Wire)]
pub(crate) struct ActiveKeyGroups {
    pub enabled: bool,
    pub quantity: usize,
    pub items: Option<Vec<GroupKeys>>,
}

#[derive(Debug, Wire)]
pub(crate) struct GroupKeys {
    pub key_group_id: KeyGroupId,
    pub key_pair_ids: Items<PublicKeyId>,
}

pub(crate) fn distribution(cx: &Cx<'_>, row: &Distribution) -> DistributionShape {
    let of = |b: DefaultCacheBehavior| trusted(b.trusted_key_groups.as_ref()).cloned().collect::<Vec<_>>();
    let mut groups: Vec<KeyGroupId> = row.config.behaviours().flat_map(of).collect();
    groups.sort();
    groups.dedup();
    let keys = |id: &KeyGroupId| GroupKeys {
        key_group_id: id.clone(),
        key_pair_ids: Items(cx.tx.get::<KeyGroup>(id).map(|g| g.config.items.clone()).unwrap_or_default()),
    };
    let prefix = format!("{}/", row.id);
    let open = cx
        .tx
        .prefix::<Invalidation>(&prefix)
        .filter(|i| !cx.tx.has::<InvalidationSeen>(&Invalidation::key_of(&i.distribution, &i.id)));
    DistributionShape {
        id: row.id.clone(),
        arn: rules::arn(cx, &format!("distribution/{}", row.id)),
        status: status(cx.tx, row),
        last_modified_time: row.modified,
        in_progress_invalidation_batches: open.count(),
        domain_name: row.domain_name.clone(),
        active_trusted_signers: NoSigners { enabled: false, quantity: 0 },
        active_trusted_key_groups: ActiveKeyGroups {
            enabled: !groups.is_empty(),
            quantity: groups.len(),
            items: Some(groups.iter().map(keys).collect::<Vec<_>>()).filter(|g| !g.is_empty()),
        },
        distribution_config: row.config.clone(),
    }
}

/// The row by which other services find the distribution: by its own name, not by its aliases.
pub(crate) fn name(cx: &Cx<'_>, row: &Distribution) -> DistributionName {
    DistributionName { name: row.domain_name.clone(), addresses: vec![cx.config.edge_address] }
}

#[derive(Debug, Wire)]
pub(crate) struct InvalidationShape {
    pub id: InvalidationId,
    pub status: &'static str,
    pub create_time: Timestamp,
    pub invalidation_batch: BatchShape,
}

#[derive(Clone, Debug, Wire)]
pub(crate) struct BatchShape {
    pub paths: Items<String>,
    pub caller_reference: CallerReference,
}

pub(crate) fn invalidation_status(image: &Image, row: &Invalidation) -> &'static str {
    let key = Invalidation::key_of(&row.distribution, &row.id);
    if image.has::<InvalidationSeen>(&key) { "Completed" } else { "InProgress" }
}

pub(crate) fn invalidation(image: &Image, row: &Invalidation) -> InvalidationShape {
    InvalidationShape {
        id: row.id.clone(),
        status: invalidation_status(image, row),
        create_time: row.created,
        invalidation_batch: BatchShape {
            paths: Items(row.paths.clone()),
            caller_reference: row.caller_reference.clone(),
        },
    }
}
