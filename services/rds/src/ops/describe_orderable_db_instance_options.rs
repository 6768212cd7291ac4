//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeOrderableDBInstanceOptions.html>

use crate::{
    Error, engines,
    filters::{self, Filter},
};
use escale_base::{Wire, wire::Value};
use escale_service::{Cx, Operation};
use serde_json::json;

pub(crate) struct DescribeOrderableDBInstanceOptions;

/// The classes of the answer. Other classes are accepted too, since classes are only recorded.
const CLASSES: &[&str] = &[
    "db.m6g.large",
    "db.m7g.large",
    "db.r6g.large",
    "db.t3.medium",
    "db.t3.micro",
    "db.t3.small",
    "db.t4g.large",
    "db.t4g.medium",
    "db.t4g.micro",
    "db.t4g.small",
];

#[derive(Wire)]
pub(crate) struct Input {
    engine: String,
    engine_version: Option<String>,
    #[wire("DBInstanceClass")]
    class: Option<String>,
    license_model: Option<String>,
    vpc: Option<bool>,
    filters: Vec<Filter>,
    max_records: Option<usize>,
    marker: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Shown {
    engine: &'static str,
    engine_version: String,
    #[wire("DBInstanceClass")]
    class: String,
    license_model: &'static str,
    availability_zones: Vec<Value>,
    #[wire("MultiAZCapable")]
    multi_az_capable: bool,
    read_replica_capable: bool,
    vpc: bool,
    supports_storage_encryption: bool,
    storage_type: &'static str,
    #[wire("SupportsIAMDatabaseAuthentication")]
    supports_iam_database_authentication: bool,
    supports_performance_insights: bool,
    supports_enhanced_monitoring: bool,
    supported_network_types: Vec<&'static str>,
}

#[derive(Wire)]
pub(crate) struct Output {
    #[wire("OrderableDBInstanceOptions")]
    options: Vec<Shown>,
    marker: Option<String>,
}

impl Operation for DescribeOrderableDBInstanceOptions {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        filters::passes(&input.filters, |_| None)?;
        let versions: Vec<String> = match input.engine_version.as_deref() {
            Some(requested) => {
                engines::version(cx.tx, &input.engine, Some(requested)).map(|v| vec![v.1]).unwrap_or_default()
            }
            None if input.engine == "postgres" => {
                engines::majors(cx.tx).into_iter().map(engines::newest).collect()
            }
            None => vec![],
        };
        let other_license = input.license_model.as_deref().is_some_and(|l| l != "postgresql-license");
        let mut options = Vec::new();
        for version in versions.iter().filter(|_| !other_license && input.vpc != Some(false)) {
            for class in CLASSES.iter().filter(|c| input.class.as_deref().is_none_or(|class| class == **c)) {
                options.push(Shown {
                    engine: "postgres",
                    engine_version: version.clone(),
                    class: (*class).to_owned(),
                    license_model: "postgresql-license",
                    availability_zones: cx.config.zones.iter().map(|z| json!({"Name": z})).collect(),
                    multi_az_capable: true,
                    read_replica_capable: false,
                    vpc: true,
                    supports_storage_encryption: true,
                    storage_type: "gp3",
                    supports_iam_database_authentication: false,
                    supports_performance_insights: false,
                    supports_enhanced_monitoring: false,
                    supported_network_types: vec!["IPV4"],
                });
            }
        }
        let key = |o: &Shown| format!("{:>8}/{}", o.engine_version, o.class);
        let page = filters::page(options, key, input.marker.as_deref(), input.max_records)?;
        Ok(Output { options: page.items, marker: page.next })
    }
}
