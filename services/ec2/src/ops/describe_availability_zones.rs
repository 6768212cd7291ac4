//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeAvailabilityZones.html>

use crate::{
    Error,
    choices::{OptInStatus, ZoneState},
    error::Kind,
    filters::{self, Filter, one},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};

pub(crate) struct DescribeAvailabilityZones;

#[derive(Wire)]
pub(crate) struct Input {
    zone_names: Vec<String>,
    zone_ids: Vec<String>,
    /// Has no effect: there are no zones to opt in to.
    all_availability_zones: Option<bool>,
    filters: Vec<Filter>,
}

#[derive(Wire)]
pub(crate) struct Output {
    availability_zones: Vec<Zone>,
}

#[derive(Wire)]
pub(crate) struct Zone {
    zone_name: String,
    zone_id: String,
    region_name: String,
    group_name: String,
    network_border_group: String,
    zone_type: &'static str,
    state: ZoneState,
    opt_in_status: OptInStatus,
}

impl Operation for DescribeAvailabilityZones {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let (region, config) = (&cx.config.region, cx.config);
        let unknown_name = input.zone_names.iter().find(|n| !config.zones.contains(n));
        let known_id = |id: &String| config.zones.iter().any(|z| config.zone_id(z) == *id);
        let unknown = unknown_name.or_else(|| input.zone_ids.iter().find(|id| !known_id(id)));
        if let Some(zone) = unknown {
            return Err(Error::NotFound(Kind::Zone, zone.clone()));
        }
        let mut availability_zones = Vec::new();
        for name in &config.zones {
            let zone_id = config.zone_id(name);
            let value_of = |filter: &str| match filter {
                "zone-name" => one(name),
                "zone-id" => one(&zone_id),
                "zone-type" => one("availability-zone"),
                "region-name" | "group-name" => one(region),
                "state" => one("available"),
                "opt-in-status" => one("opt-in-not-required"),
                _ => None,
            };
            let named = (input.zone_names.is_empty() || input.zone_names.contains(name))
                && (input.zone_ids.is_empty() || input.zone_ids.contains(&zone_id));
            // The filters come first, so that an unknown filter is an error even if no zone matches.
            if filters::passes(&input.filters, &[], value_of)? && named {
                availability_zones.push(Zone {
                    zone_name: name.clone(),
                    zone_id,
                    region_name: region.clone(),
                    group_name: region.clone(),
                    network_border_group: region.clone(),
                    zone_type: "availability-zone",
                    state: ZoneState::Available,
                    opt_in_status: OptInStatus::OptInNotRequired,
                });
            }
        }
        Ok(Output { availability_zones })
    }
}
