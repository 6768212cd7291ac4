//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeRegions.html>

use crate::{
    Error,
    error::Kind,
    filters::{self, Filter, one},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};

pub(crate) struct DescribeRegions;

#[derive(Wire)]
pub(crate) struct Input {
    region_names: Vec<String>,
    all_regions: Option<bool>,
    filters: Vec<Filter>,
}

#[derive(Wire)]
pub(crate) struct Output {
    regions: Vec<Region>,
}

#[derive(Wire)]
pub(crate) struct Region {
    region_name: String,
    endpoint: String,
    opt_in_status: &'static str,
}

impl Operation for DescribeRegions {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let region = &cx.config.region;
        if let Some(other) = input.region_names.iter().find(|n| *n != region) {
            return Err(Error::NotFound(Kind::Region, other.clone()));
        }
        let value_of = |name: &str| match name {
            "region-name" => one(region),
            "endpoint" => one(&cx.config.endpoint),
            "opt-in-status" => one("opt-in-not-required"),
            _ => None,
        };
        let found = filters::passes(&input.filters, &[], value_of)?.then(|| Region {
            region_name: region.clone(),
            endpoint: cx.config.endpoint.clone(),
            opt_in_status: "opt-in-not-required",
        });
        Ok(Output { regions: found.into_iter().collect() })
    }
}
