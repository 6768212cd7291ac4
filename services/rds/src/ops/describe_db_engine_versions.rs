//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBEngineVersions.html>

use crate::{
    Error, engines,
    filters::{self, Filter},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};

pub(crate) struct DescribeDBEngineVersions;

#[derive(Wire)]
pub(crate) struct Input {
    engine: Option<String>,
    engine_version: Option<String>,
    #[wire("DBParameterGroupFamily")]
    family: Option<String>,
    filters: Vec<Filter>,
    max_records: Option<usize>,
    marker: Option<String>,
    default_only: Option<bool>,
    include_all: Option<bool>,
}

#[derive(Wire)]
pub(crate) struct Shown {
    engine: &'static str,
    major_engine_version: String,
    engine_version: String,
    #[wire("DBParameterGroupFamily")]
    family: String,
    #[wire("DBEngineDescription")]
    description: &'static str,
    #[wire("DBEngineVersionDescription")]
    version_description: String,
    status: &'static str,
    supports_read_replica: bool,
    supports_log_exports_to_cloudwatch_logs: bool,
}

#[derive(Wire)]
pub(crate) struct Output {
    marker: Option<String>,
    #[wire("DBEngineVersions")]
    versions: Vec<Shown>,
}

impl Operation for DescribeDBEngineVersions {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let _ = input.include_all; // there are no unavailable versions that it could add
        let mut majors = engines::majors(cx.tx);
        if input.default_only == Some(true) {
            majors = majors.pop().into_iter().collect();
        }
        if input.engine.as_deref().is_some_and(|e| e != "postgres") {
            majors.clear();
        }
        let mut shown = Vec::new();
        for major in majors {
            let version = match input.engine_version.as_deref() {
                None => engines::newest(major),
                Some(requested) => match engines::version(cx.tx, "postgres", Some(requested)) {
                    Ok((m, version)) if m == major => version,
                    _ => continue,
                },
            };
            let family = format!("postgres{major}");
            let values_of = |name: &str| match name {
                "engine" => Some(vec!["postgres".to_owned()]),
                "engine-version" => Some(vec![version.clone()]),
                "db-parameter-group-family" => Some(vec![family.clone()]),
                "status" => Some(vec!["available".to_owned()]),
                _ => None,
            };
            if input.family.as_ref().is_none_or(|f| *f == family)
                && filters::passes(&input.filters, values_of)?
            {
                shown.push(Shown {
                    engine: "postgres",
                    major_engine_version: major.to_string(),
                    version_description: format!("PostgreSQL {version}"),
                    engine_version: version,
                    family,
                    description: "PostgreSQL",
                    status: "available",
                    supports_read_replica: false,
                    supports_log_exports_to_cloudwatch_logs: false,
                });
            }
        }
        let key = |v: &Shown| format!("{:>8}", v.engine_version);
        let page = filters::page(shown, key, input.marker.as_deref(), input.max_records)?;
        Ok(Output { marker: page.next, versions: page.items })
    }
}
