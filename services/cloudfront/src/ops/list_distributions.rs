//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_ListDistributions.html>

use crate::{
    Error,
    rules::{self, List, MarkedList},
    shapes,
};
use escale_base::{Timestamp, Wire};
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::{
    Alias, CacheBehavior, CustomErrorResponse, DefaultCacheBehavior, Distribution, DistributionHost,
    DistributionId, ETag, GeoRestriction, GeoRestrictionType, HttpVersion, Items, Origin, PriceClass,
    Restrictions, ViewerCertificate,
};

pub(crate) struct ListDistributions;

#[derive(Wire)]
pub(crate) struct Input {
    marker: Option<String>,
    max_items: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    distribution_list: MarkedList<Summary>,
}

#[derive(Wire)]
pub(crate) struct Summary {
    id: DistributionId,
    #[wire("ARN")]
    arn: String,
    #[wire("ETag")]
    etag: ETag,
    status: shapes::Status,
    last_modified_time: Timestamp,
    domain_name: DistributionHost,
    aliases: Items<Alias>,
    origins: Items<Origin>,
    default_cache_behavior: DefaultCacheBehavior,
    cache_behaviors: Items<CacheBehavior>,
    custom_error_responses: Items<CustomErrorResponse>,
    comment: String,
    price_class: PriceClass,
    enabled: bool,
    viewer_certificate: ViewerCertificate,
    restrictions: Restrictions,
    #[wire("WebACLId")]
    web_acl_id: &'static str,
    http_version: HttpVersion,
    #[wire("IsIPV6Enabled")]
    is_ipv6_enabled: bool,
    staging: bool,
}

impl Operation for ListDistributions {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let max = input.max_items.as_deref();
        let page = rules::page::<Distribution>(cx.tx, |_| true, input.marker.as_deref(), max)?;
        let list = List::of(page, max, |row| summary(cx, row))?;
        Ok(Output { distribution_list: list.marked(input.marker) })
    }
}

fn summary(cx: &Cx<'_>, row: &Distribution) -> Summary {
    let config = row.config.clone();
    let certificate = ViewerCertificate {
        cloud_front_default_certificate: Some(true),
        acm_certificate_arn: None,
        ssl_support_method: None,
        minimum_protocol_version: None,
        certificate_source: None,
    };
    let everywhere = Restrictions {
        geo_restriction: GeoRestriction {
            restriction_type: GeoRestrictionType::None,
            quantity: Some(0),
            items: None,
        },
    };
    Summary {
        id: row.id.clone(),
        arn: rules::arn(cx, &format!("distribution/{}", row.id)),
        etag: row.etag.clone(),
        status: shapes::status(cx.tx, row),
        last_modified_time: row.modified,
        domain_name: row.domain_name.clone(),
        aliases: config.aliases.unwrap_or_default(),
        origins: config.origins,
        default_cache_behavior: config.default_cache_behavior,
        cache_behaviors: config.cache_behaviors.unwrap_or_default(),
        custom_error_responses: config.custom_error_responses.unwrap_or_default(),
        comment: config.comment,
        price_class: config.price_class.unwrap_or(PriceClass::PriceClassAll),
        enabled: config.enabled,
        viewer_certificate: config.viewer_certificate.unwrap_or(certificate),
        restrictions: config.restrictions.unwrap_or(everywhere),
        web_acl_id: "",
        http_version: config.http_version.unwrap_or(HttpVersion::Http2),
        is_ipv6_enabled: config.is_ipv6_enabled.unwrap_or(false),
        staging: false,
    }
}
