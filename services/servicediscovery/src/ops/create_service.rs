//! <https://docs.aws.amazon.com/cloud-map/latest/api/API_CreateService.html>

use crate::{
    Error,
    choices::ServiceTypeOption,
    rules,
    shapes::{self, DnsConfigShape, HealthCheckConfig, HealthCheckCustomConfig},
};
use escale_base::{Tag, Wire};
use escale_service::{Cx, Operation};
use escale_tables::servicediscovery::{
    CreatorRequestId, DiscoveryService, DiscoveryServiceName, DnsConfig, Namespace, ServiceType,
};
use std::collections::BTreeMap;

pub(crate) struct CreateService;

#[derive(Wire)]
pub(crate) struct Input {
    name: DiscoveryServiceName,
    namespace_id: Option<String>,
    creator_request_id: Option<CreatorRequestId>,
    description: Option<String>,
    dns_config: Option<DnsConfigShape>,
    health_check_config: Option<HealthCheckConfig>,
    health_check_custom_config: Option<HealthCheckCustomConfig>,
    tags: Vec<Tag>,
    r#type: Option<ServiceTypeOption>,
}

impl Input {
    /// AWS knew the namespace only in `DnsConfig` once; clients and templates still have it there.
    fn namespace(&self) -> Option<&str> {
        let older = || self.dns_config.as_ref()?.namespace_id.as_deref();
        self.namespace_id.as_deref().or_else(older)
    }
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) service: shapes::ServiceShape,
}

impl Operation for CreateService {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::namespace_arn(cx, input.namespace().unwrap_or_default())]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        shapes::refuse_checks(input.health_check_config.as_ref())?;
        let given = input.namespace().ok_or_else(|| Error::Invalid("NamespaceId is required.".into()))?;
        let namespace = rules::namespace(cx.tx, given)?;
        let same = rules::services_of(cx.tx, &namespace).find(|s| s.name.eq_ignore_ascii_case(&input.name));
        if let Some(same) = same {
            if same.creator_request_id.is_some() && same.creator_request_id == input.creator_request_id {
                return Ok(Output { service: shapes::service(cx, &same) });
            }
            return Err(Error::ServiceExists(input.name, namespace.id.clone(), same.id.clone()));
        }
        let dns = dns(&namespace, input.dns_config)?;
        let kind = match (&dns, input.r#type) {
            (Some(_), Some(_)) => {
                return Err(Error::Invalid("A service of the Type HTTP has no DnsConfig.".into()));
            }
            (None, _) => ServiceType::Http,
            (Some(_), None) => ServiceType::DnsHttp,
        };
        let row = DiscoveryService {
            id: DiscoveryService::random_id(),
            name: input.name,
            namespace: namespace.id.clone(),
            kind,
            dns,
            custom_health: input.health_check_custom_config.is_some(),
            description: input.description,
            creator_request_id: input.creator_request_id,
            attributes: BTreeMap::new(),
            revision: 0,
            tags: input.tags,
            created: cx.now,
        };
        cx.tx.put(row.clone());
        Ok(Output { service: shapes::service(cx, &row) })
    }
}

fn dns(namespace: &Namespace, config: Option<DnsConfigShape>) -> Result<Option<DnsConfig>, Error> {
    let Some(config) = config else { return Ok(None) };
    if namespace.dns.is_none() {
        let why =
            format!("The namespace {} is an HTTP namespace, whose services have no DnsConfig.", namespace.id);
        return Err(Error::Invalid(why));
    }
    shapes::dns_config(config.routing_policy, config.dns_records).map(Some)
}
