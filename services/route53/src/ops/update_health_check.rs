//! <https://docs.aws.amazon.com/Route53/latest/APIReference/API_UpdateHealthCheck.html>

use crate::{Error, choices::ResettableElementName, health, shapes};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::route53::{
    AlarmIdentifier, EndpointName, HealthCheck, HealthCheckConfig, HealthCheckId,
    InsufficientDataHealthStatus,
};
use std::net::Ipv4Addr;

pub(crate) struct UpdateHealthCheck;

/// A member that is absent keeps its value.
#[derive(Wire)]
pub(crate) struct Input {
    health_check_id: HealthCheckId,
    health_check_version: Option<u64>,
    #[wire("IPAddress")]
    ip_address: Option<Ipv4Addr>,
    port: Option<u16>,
    resource_path: Option<String>,
    fully_qualified_domain_name: Option<EndpointName>,
    search_string: Option<String>,
    failure_threshold: Option<u32>,
    inverted: Option<bool>,
    disabled: Option<bool>,
    health_threshold: Option<u32>,
    child_health_checks: Option<Vec<HealthCheckId>>,
    #[wire("EnableSNI")]
    enable_sni: Option<bool>,
    alarm_identifier: Option<AlarmIdentifier>,
    insufficient_data_health_status: Option<InsufficientDataHealthStatus>,
    reset_elements: Option<Vec<ResettableElementName>>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) health_check: shapes::HealthCheckShape,
}

impl Operation for UpdateHealthCheck {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        vec![health::arn(&input.health_check_id)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let row = health::find(cx.tx, &input.health_check_id)?;
        if let Some(version) = input.health_check_version.filter(|v| *v != row.version) {
            return Err(Error::HealthCheckVersion(version, row.version));
        }
        let mut config = row.config.clone();
        for element in input.reset_elements.iter().flatten() {
            match element {
                ResettableElementName::FullyQualifiedDomainName => config.fully_qualified_domain_name = None,
                ResettableElementName::ResourcePath => config.resource_path = None,
                ResettableElementName::ChildHealthChecks => config.child_health_checks = None,
                // There are none: a configuration with regions is refused.
                ResettableElementName::Regions => {}
            }
        }
        let config = HealthCheckConfig {
            ip_address: input.ip_address.or(config.ip_address),
            port: input.port.or(config.port),
            kind: config.kind,
            resource_path: input.resource_path.or(config.resource_path),
            fully_qualified_domain_name: input
                .fully_qualified_domain_name
                .or(config.fully_qualified_domain_name),
            search_string: input.search_string.or(config.search_string),
            request_interval: config.request_interval,
            failure_threshold: input.failure_threshold.or(config.failure_threshold),
            measure_latency: config.measure_latency,
            inverted: input.inverted.or(config.inverted),
            disabled: input.disabled.or(config.disabled),
            health_threshold: input.health_threshold.or(config.health_threshold),
            child_health_checks: input.child_health_checks.or(config.child_health_checks),
            enable_sni: input.enable_sni.or(config.enable_sni),
            alarm_identifier: input.alarm_identifier.or(config.alarm_identifier),
            insufficient_data_health_status: input
                .insufficient_data_health_status
                .or(config.insufficient_data_health_status),
        };
        let config = health::completed(cx.tx, cx.config, &row.id, config)?;
        let row = HealthCheck { config, version: row.version + 1, ..(*row).clone() };
        let output = Output { health_check: shapes::health_check(&row) };
        cx.tx.put(row);
        Ok(output)
    }
}
