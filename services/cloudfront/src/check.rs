//! Checks a distribution's configuration. Features that AWS supports and Escale does not are refused by name.

use crate::{
    Error,
    error::{invalid, no_acl},
    policies, rules, viewer,
};
use escale_base::AwsError;
use escale_service::{Also, Cx};
use escale_tables::cloudfront::{
    AllowedMethods, CachePolicy, CustomOriginConfig, DefaultCacheBehavior, Distribution, DistributionConfig,
    DistributionId, ForwardedValues, GeoRestrictionType, HeaderName, ItemSelection, Items, KeyGroupId,
    Method, Origin, OriginAccessIdentity, OriginGroup, OriginProtocolPolicy, OriginRequestPolicy,
    ResponseHeadersPolicy, SelectionCriteria, SslProtocol, Trusted,
};
use escale_tables::s3::{Bucket, ObjectOwnership};

/// CloudFront accepts a leading slash, and asks the origin for a path with two then.
///
/// <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_DistributionConfig.html>
const ROOT_OBJECT_BYTES: usize = 255;

fn is_of_root_object(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_-.*$/~\"'&".contains(c)
}

pub(crate) fn config(
    cx: &Cx<'_>,
    id: Option<&DistributionId>,
    config: &DistributionConfig,
) -> Result<(), Error> {
    refuse_unsupported(config)?;
    viewer::check(cx, config)?;
    if config.origins.0.is_empty() {
        return Err(invalid("A distribution must have at least one origin"));
    }
    for (i, origin) in config.origins.0.iter().enumerate() {
        if config.origins.0[..i].iter().any(|o| o.id == origin.id) {
            return Err(invalid(format!("The origin id '{}' is used more than once", origin.id)));
        }
        check_origin(cx, origin)?;
    }
    config.groups().try_for_each(|group| check_group(config, group))?;
    config.behaviours().try_for_each(|row| behaviour(cx, config, &row))?;
    if let Some(bucket) = log_bucket(config) {
        let row = bucket_of(bucket).and_then(|name| cx.tx.get::<Bucket>(name));
        if row.is_none_or(|row| row.ownership == ObjectOwnership::BucketOwnerEnforced) {
            return Err(no_acl(bucket));
        }
    }
    let root = config.default_root_object.as_deref().unwrap_or("");
    if root.len() > ROOT_OBJECT_BYTES || !root.chars().all(is_of_root_object) {
        return Err(Error::DefaultRootObject);
    }
    for alias in config.aliases.iter().flat_map(|a| &a.0) {
        let name = alias.to_ascii_lowercase();
        // The edge selects a distribution by the host name, so a name must lead to one distribution only.
        let taken = cx.tx.scan::<Distribution>().find(|d| Some(&d.id) != id && hosts(d).contains(&name));
        if taken.is_some() {
            return Err(Error::AliasTaken(alias.clone()));
        }
    }
    for error in config.custom_error_responses.iter().flat_map(|e| &e.0) {
        if error.response_page_path.as_deref().unwrap_or("").is_empty()
            != error.response_code.as_deref().unwrap_or("").is_empty()
        {
            return Err(invalid("ResponsePagePath and ResponseCode must be given together"));
        }
        if error.response_code.as_deref().is_some_and(|c| !c.is_empty() && c.parse::<u16>().is_err()) {
            return Err(Error::ResponseCode);
        }
    }
    Ok(())
}

/// The host name of the bucket for logs, if the distribution is logged.
fn log_bucket(config: &DistributionConfig) -> Option<&str> {
    let logging = config.logging.as_ref().filter(|logging| logging.enabled != Some(false))?;
    logging.bucket.as_deref().filter(|bucket| !bucket.is_empty())
}

/// The secondary actions of a request with logging: CloudFront changes the bucket's ACL for its caller.
///
/// Source: <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/standard-logging-legacy-s3.html>
pub(crate) fn actions(config: &DistributionConfig) -> Vec<Also> {
    let bucket = log_bucket(config).and_then(bucket_of);
    let arn = bucket.map(|bucket| vec![format!("arn:aws:s3:::{bucket}")]);
    let both =
        |arn: Vec<String>| ["s3:GetBucketAcl", "s3:PutBucketAcl"].map(|a| Also::new(a, arn.clone())).to_vec();
    arn.map(both).unwrap_or_default()
}

/// The host names that the edge serves the distribution under: its own name first, then its aliases.
pub(crate) fn hosts(row: &Distribution) -> Vec<String> {
    let aliases = row.config.aliases.iter().flat_map(|a| &a.0).map(|a| a.to_ascii_lowercase());
    std::iter::once(row.domain_name.to_string()).chain(aliases).collect()
}

fn refuse(parameter: &str) -> Result<(), Error> {
    Err(AwsError::not_supported(format_args!("The parameter {parameter}")).into())
}

fn refuse_with_hint(what: &str, hint: &str) -> Result<(), Error> {
    Err(AwsError::not_supported(what).hint(hint).into())
}

fn refuse_unsupported(config: &DistributionConfig) -> Result<(), Error> {
    // Empty values are accepted: clients send the whole configuration, also members that they do not use.
    let given = |text: &Option<String>| text.as_deref().is_some_and(|t| !t.is_empty());
    if given(&config.web_acl_id) {
        return refuse("DistributionConfig.WebACLId");
    }
    if given(&config.continuous_deployment_policy_id) {
        return refuse("DistributionConfig.ContinuousDeploymentPolicyId");
    }
    if config.staging == Some(true) {
        return refuse("DistributionConfig.Staging");
    }
    match config.restrictions.as_ref().map(|r| r.geo_restriction.restriction_type) {
        None | Some(GeoRestrictionType::None) => Ok(()),
        Some(_) => refuse_with_hint(
            "A geographic restriction in DistributionConfig.Restrictions",
            "Use the RestrictionType 'none'.",
        ),
    }
}

fn check_origin(cx: &Cx<'_>, origin: &Origin) -> Result<(), Error> {
    let path = origin.origin_path.as_deref().unwrap_or("");
    if !path.is_empty() && (!path.starts_with('/') || path.ends_with('/')) {
        return Err(invalid(format!(
            "The origin path '{path}' must begin with '/' and must not end with '/'"
        )));
    }
    if origin.origin_shield.as_ref().is_some_and(|s| s.enabled) {
        return refuse("Origin.OriginShield");
    }
    match (&origin.s3_origin_config, &origin.custom_origin_config) {
        (Some(s3), None) => {
            let given = s3.origin_access_identity.as_deref().filter(|i| !i.is_empty());
            let has_control = origin.origin_access_control_id.as_ref().is_some_and(|id| !id.is_empty());
            match (given, identity_of(origin)) {
                (Some(_), _) if has_control => {
                    return Err(invalid(
                        "An origin can have an origin access control or an origin access identity, not both",
                    ));
                }
                (Some(given), None) => return Err(Error::InvalidIdentity(given.to_owned())),
                (Some(given), Some(id)) if !cx.tx.has::<OriginAccessIdentity>(id) => {
                    return Err(Error::InvalidIdentity(given.to_owned()));
                }
                _ => {}
            }
            if bucket_of(&origin.domain_name).is_none() {
                let name = &origin.domain_name;
                return Err(invalid(format!(
                    "The origin domain name '{name}' is not the name of an S3 bucket"
                )));
            }
        }
        (None, Some(custom)) => {
            check_custom(custom)?;
        }
        _ => return Err(invalid("An origin must have an S3OriginConfig or a CustomOriginConfig")),
    }
    if let Some(id) = origin.origin_access_control_id.as_ref().filter(|i| !i.is_empty()) {
        rules::origin_access_control(cx, id)?;
        if origin.s3_origin_config.is_none() {
            return Err(invalid("An origin access control can only be used with an S3 origin"));
        }
    }
    Ok(())
}

fn check_custom(custom: &CustomOriginConfig) -> Result<(), Error> {
    for port in [custom.http_port, custom.https_port] {
        if !matches!(port, 80 | 443 | 1024..) {
            return Err(invalid(format!("The origin port {port} must be 80, 443, or 1024 to 65535")));
        }
    }
    for (name, seconds) in [
        ("OriginReadTimeout", custom.origin_read_timeout),
        ("OriginKeepaliveTimeout", custom.origin_keepalive_timeout),
    ] {
        // Without an increase of AWS's quota.
        if seconds.is_some_and(|s| !(1..=120).contains(&s)) {
            return Err(invalid(format!("The {name} must be 1 to 120 seconds")));
        }
    }
    let protocols = custom.origin_ssl_protocols.iter().flat_map(|p| &p.0);
    let mut protocols = protocols.peekable();
    let is_http = custom.origin_protocol_policy == OriginProtocolPolicy::HttpOnly;
    if !is_http && protocols.peek().is_some() && !protocols.any(|p| *p == SslProtocol::TLSv12) {
        return refuse_with_hint(
            "An origin without 'TLSv1.2' in OriginSslProtocols",
            "Add 'TLSv1.2': the edge offers TLS 1.2 and 1.3.",
        );
    }
    Ok(())
}

/// The statuses that AWS allows for failover.
const FAILOVER: [u16; 9] = [400, 403, 404, 416, 429, 500, 502, 503, 504];

fn check_group(config: &DistributionConfig, group: &OriginGroup) -> Result<(), Error> {
    let id = &group.id;
    let same = config.groups().filter(|g| g.id == *id).count() + usize::from(config.has_origin(id));
    if same > 1 {
        return Err(invalid(format!("The origin group id '{id}' is used more than once")));
    }
    let [first, second] = &group.members.0[..] else {
        return Err(invalid(format!("The origin group '{id}' must have two members")));
    };
    if first.origin_id == second.origin_id {
        return Err(invalid(format!("The members of the origin group '{id}' must be two origins")));
    }
    if let Some(member) = group.members.0.iter().find(|m| !config.has_origin(&m.origin_id)) {
        return Err(Error::NoOrigin(member.origin_id.clone()));
    }
    let statuses = &group.failover_criteria.status_codes.0;
    if let Some(status) = statuses.iter().find(|s| !FAILOVER.contains(s)) {
        return Err(invalid(format!("{status} is not a status code that an origin group can fail over on")));
    }
    if statuses.is_empty() {
        return Err(invalid(format!("The origin group '{id}' must have at least one status code")));
    }
    match group.selection_criteria {
        Some(SelectionCriteria::MediaQualityBased) => {
            refuse_with_hint("The SelectionCriteria 'media-quality-based'", "Use 'default'.")
        }
        None | Some(SelectionCriteria::Default) => Ok(()),
    }
}

/// The id in `origin-access-identity/cloudfront/<id>`.
pub(crate) fn identity_of(origin: &Origin) -> Option<&str> {
    let named = origin.s3_origin_config.as_ref()?.origin_access_identity.as_deref()?;
    named.strip_prefix("origin-access-identity/cloudfront/").filter(|id| !id.is_empty())
}

/// The bucket in `<bucket>.s3.<region>.amazonaws.com`; the region is optional.
pub(crate) fn bucket_of(domain: &str) -> Option<&str> {
    // `.s3-<region>` is the older form of regional names. A website endpoint is a custom origin: it is no REST endpoint.
    let (bucket, rest) = domain.split_once(".s3.").or_else(|| domain.split_once(".s3-"))?;
    (!bucket.is_empty() && rest.ends_with("amazonaws.com") && !rest.starts_with("website")).then_some(bucket)
}

fn behaviour(
    cx: &Cx<'_>,
    config: &DistributionConfig,
    behaviour: &DefaultCacheBehavior,
) -> Result<(), Error> {
    let origin = &behaviour.target_origin_id;
    if !config.has_origin(origin) && !config.groups().any(|g| g.id == *origin) {
        return Err(Error::NoOrigin(origin.clone()));
    }
    if behaviour.trusted_signers.as_ref().is_some_and(|t| t.enabled) {
        return refuse_with_hint("The parameter TrustedSigners", "Use TrustedKeyGroups.");
    }
    if behaviour.smooth_streaming == Some(true) {
        return refuse("SmoothStreaming");
    }
    if behaviour.lambda_function_associations.as_ref().is_some_and(|l| !l.0.is_empty()) {
        return refuse("LambdaFunctionAssociations");
    }
    if behaviour.function_associations.as_ref().is_some_and(|l| !l.0.is_empty()) {
        return refuse("FunctionAssociations");
    }
    if behaviour.field_level_encryption_id.as_deref().is_some_and(|i| !i.is_empty()) {
        return refuse("FieldLevelEncryptionId");
    }
    for group in trusted(behaviour.trusted_key_groups.as_ref()) {
        rules::key_group(cx, group).map_err(|_| Error::NoTrustedKeyGroup(group.clone()))?;
    }
    policies_of(cx, behaviour)?;
    match &behaviour.allowed_methods {
        Some(methods) => allowed(methods),
        None => Ok(()),
    }
}

/// Checks the policies of a behaviour, or the legacy settings in their place.
fn policies_of(cx: &Cx<'_>, behaviour: &DefaultCacheBehavior) -> Result<(), Error> {
    let given = |id: Option<&str>| id.filter(|id| !id.is_empty()).map(str::to_owned);
    let request = given(behaviour.origin_request_policy_id.as_deref());
    match (given(behaviour.cache_policy_id.as_deref()), &behaviour.forwarded_values) {
        (None, None) => return Err(invalid("The parameter ForwardedValues is required.")),
        (Some(_), Some(_)) => {
            return Err(invalid(
                "The parameter ForwardedValues cannot be used when a cache policy is associated to the cache behavior.",
            ));
        }
        (Some(id), None) => {
            policies::existing::<CachePolicy>(cx.tx, &id)?;
            let ttls = [
                ("MinTTL", behaviour.min_ttl),
                ("DefaultTTL", behaviour.default_ttl),
                ("MaxTTL", behaviour.max_ttl),
            ];
            // Clients send a zero for a TTL that they do not use.
            if let Some((name, _)) = ttls.iter().find(|(_, ttl)| ttl.is_some_and(|ttl| ttl > 0)) {
                return Err(invalid(format!(
                    "The parameter {name} cannot be used when a cache policy is associated to the cache behavior."
                )));
            }
        }
        (None, Some(_)) if request.is_some() => {
            return Err(invalid("An OriginRequestPolicyId can be used only together with a CachePolicyId"));
        }
        (None, Some(values)) => legacy(behaviour, values)?,
    }
    if let Some(id) = request {
        policies::existing::<OriginRequestPolicy>(cx.tx, &id)?;
    }
    if let Some(id) = given(behaviour.response_headers_policy_id.as_deref()) {
        policies::existing::<ResponseHeadersPolicy>(cx.tx, &id)?;
    }
    Ok(())
}

fn legacy(behaviour: &DefaultCacheBehavior, values: &ForwardedValues) -> Result<(), Error> {
    let ttl = policies::cache_settings(None, behaviour).ttl;
    if ttl.min_s > ttl.default_s || ttl.default_s > ttl.max_s {
        return Err(Error::TtlOrder);
    }
    let names =
        |items: &Option<Items<HeaderName>>| items.iter().flat_map(|i| i.0.clone()).collect::<Vec<_>>();
    let headers = names(&values.headers);
    let named = headers.iter().map(|name| name.as_str()).filter(|name| *name != "*");
    policies::headers_can_be_selected(named, "ForwardedValues")?;
    let cookies = values.cookies.whitelisted_names.as_ref().map_or(0, |names| names.0.len());
    if (values.cookies.forward == ItemSelection::Whitelist) != (cookies > 0) {
        return Err(invalid("WhitelistedNames and the value 'whitelist' of Cookies.Forward belong together"));
    }
    let keys = values.query_string_cache_keys.as_ref().is_some_and(|keys| !keys.0.is_empty());
    if keys && !values.query_string {
        return Err(invalid("QueryStringCacheKeys needs QueryString to be true"));
    }
    Ok(())
}

/// The ids of the enabled key groups.
pub(crate) fn trusted(trusted: Option<&Trusted<KeyGroupId>>) -> impl Iterator<Item = &KeyGroupId> {
    trusted.into_iter().filter(|t| t.enabled).flat_map(|t| t.items.iter().flatten())
}

fn allowed(methods: &AllowedMethods) -> Result<(), Error> {
    let mut items: Vec<&str> = methods.items.iter().map(|m| m.as_str()).collect();
    // The order of the methods does not matter.
    items.sort_unstable();
    let known: [&[&str]; 3] = [
        &["GET", "HEAD"],
        &["GET", "HEAD", "OPTIONS"],
        &["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"],
    ];
    if !known.contains(&items.as_slice()) {
        return Err(invalid(
            "AllowedMethods must be one of: GET, HEAD; GET, HEAD, OPTIONS; all seven methods",
        ));
    }
    let cached = methods.cached_methods.iter().flat_map(|c| &c.0);
    if cached.clone().any(|m| !matches!(m, Method::Get | Method::Head | Method::Options)) {
        return Err(invalid("CachedMethods must be one of: GET, HEAD; GET, HEAD, OPTIONS"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn finds_the_bucket_in_domain_names() {
        for (domain, bucket) in [
            ("media.s3.eu-west-3.amazonaws.com", Some("media")),
            ("my.media.s3.amazonaws.com", Some("my.media")),
            ("media.s3-eu-west-3.amazonaws.com", Some("media")),
            ("media.s3-website-eu-west-3.amazonaws.com", None),
            ("media.s3-website.eu-west-3.amazonaws.com", None),
            ("web-1.eu-west-3.elb.localhost", None),
        ] {
            assert_eq!(super::bucket_of(domain), bucket, "{domain}");
        }
    }
}
