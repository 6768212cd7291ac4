//! Response shapes that several operations share.

use crate::policies::{HeaderSelection, KeyHeaderSelection, SelectionWord};
use crate::{
    check::trusted,
    policies::{CachePolicy, Choose, RequestPolicy},
    rules,
};
use escale_base::{Timestamp, Wire, choice};
use escale_service::Cx;
use escale_store::Image;
use escale_tables::cloudfront::{
    CacheBehavior, CallerReference, Distribution, DistributionConfig, DistributionHost, DistributionId,
    DistributionName, DistributionSeen, Invalidation, InvalidationId, InvalidationSeen, Items, KeyGroup,
    KeyGroupId, PublicKeyId,
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
    let mut groups: Vec<&KeyGroupId> =
        trusted(row.config.default_cache_behavior.trusted_key_groups.as_ref()).collect();
    let cached: Vec<&CacheBehavior> = row.config.cache_behaviors.iter().flat_map(|b| &b.0).collect();
    groups.extend(cached.iter().flat_map(|b| trusted(b.trusted_key_groups.as_ref())));
    groups.sort();
    groups.dedup();
    let keys = |id: &&KeyGroupId| GroupKeys {
        key_group_id: (*id).clone(),
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

#[derive(Debug, Wire)]
pub(crate) struct CachePolicyShape {
    pub id: &'static str,
    pub last_modified_time: Timestamp,
    pub cache_policy_config: CachePolicyConfigShape,
}

#[derive(Debug, Wire)]
pub(crate) struct CachePolicyConfigShape {
    pub comment: &'static str,
    pub name: &'static str,
    #[wire("DefaultTTL")]
    pub default_ttl: u64,
    #[wire("MaxTTL")]
    pub max_ttl: u64,
    #[wire("MinTTL")]
    pub min_ttl: u64,
    pub parameters_in_cache_key_and_forwarded_to_origin: ParametersShape,
}

#[derive(Debug, Wire)]
pub(crate) struct ParametersShape {
    pub enable_accept_encoding_gzip: bool,
    pub enable_accept_encoding_brotli: bool,
    pub headers_config: KeyHeadersShape,
    pub cookies_config: CookiesShape,
    pub query_strings_config: QueryStringsShape,
}

#[derive(Debug, Wire)]
pub(crate) struct HeadersShape {
    pub header_behavior: HeaderSelection,
    pub headers: Option<Items<String>>,
}

#[derive(Debug, Wire)]
pub(crate) struct KeyHeadersShape {
    pub header_behavior: KeyHeaderSelection,
    pub headers: Option<Items<String>>,
}

#[derive(Debug, Wire)]
pub(crate) struct CookiesShape {
    pub cookie_behavior: SelectionWord,
    pub cookies: Option<Items<String>>,
}

#[derive(Debug, Wire)]
pub(crate) struct QueryStringsShape {
    pub query_string_behavior: SelectionWord,
    pub query_strings: Option<Items<String>>,
}

fn names_of(choose: Choose) -> Option<Items<String>> {
    let names: Vec<String> = choose.names().iter().map(|n| (*n).to_owned()).collect();
    (!names.is_empty()).then_some(Items(names))
}

/// The day on which AWS published its managed policies. They have not changed since.
const MANAGED_SINCE: Timestamp = Timestamp(1_595_376_000_000);

pub(crate) fn cache_policy(policy: &CachePolicy) -> CachePolicyShape {
    CachePolicyShape {
        id: policy.id,
        last_modified_time: MANAGED_SINCE,
        cache_policy_config: CachePolicyConfigShape {
            comment: policy.comment,
            name: policy.name,
            default_ttl: policy.ttl.default_s,
            max_ttl: policy.ttl.max_s,
            min_ttl: policy.ttl.min_s,
            parameters_in_cache_key_and_forwarded_to_origin: ParametersShape {
                enable_accept_encoding_gzip: policy.compressed,
                enable_accept_encoding_brotli: policy.compressed,
                headers_config: KeyHeadersShape {
                    header_behavior: policy.headers.key_headers(),
                    headers: names_of(policy.headers),
                },
                cookies_config: cookies(policy.cookies),
                query_strings_config: query_strings(policy.query),
            },
        },
    }
}

fn headers(choose: Choose) -> HeadersShape {
    HeadersShape { header_behavior: choose.headers(), headers: names_of(choose) }
}

fn cookies(choose: Choose) -> CookiesShape {
    CookiesShape { cookie_behavior: choose.selection(), cookies: names_of(choose) }
}

fn query_strings(choose: Choose) -> QueryStringsShape {
    QueryStringsShape { query_string_behavior: choose.selection(), query_strings: names_of(choose) }
}

#[derive(Debug, Wire)]
pub(crate) struct RequestPolicyShape {
    pub id: &'static str,
    pub last_modified_time: Timestamp,
    pub origin_request_policy_config: RequestPolicyConfigShape,
}

#[derive(Debug, Wire)]
pub(crate) struct RequestPolicyConfigShape {
    pub comment: &'static str,
    pub name: &'static str,
    pub headers_config: HeadersShape,
    pub cookies_config: CookiesShape,
    pub query_strings_config: QueryStringsShape,
}

pub(crate) fn request_policy(policy: &RequestPolicy) -> RequestPolicyShape {
    RequestPolicyShape {
        id: policy.id,
        last_modified_time: MANAGED_SINCE,
        origin_request_policy_config: RequestPolicyConfigShape {
            comment: policy.comment,
            name: policy.name,
            headers_config: headers(policy.headers),
            cookies_config: cookies(policy.cookies),
            query_strings_config: query_strings(policy.query),
        },
    }
}
