//! Shapes that several operations return.

use crate::rules;
use escale_base::{Secret, Timestamp, Wire};
use escale_service::Cx;
use escale_tables::ssm::{Parameter, ParameterName, ParameterType, ParameterVersion};

#[derive(Wire)]
pub(crate) struct ParameterShape {
    pub name: ParameterName,
    pub r#type: ParameterType,
    pub value: Secret<String>,
    pub version: i64,
    pub selector: Option<String>,
    pub last_modified_date: Timestamp,
    #[wire("ARN")]
    pub arn: String,
    pub data_type: &'static str,
}

pub(crate) fn parameter(
    cx: &Cx<'_>,
    row: &Parameter,
    version: &ParameterVersion,
    selector: Option<String>,
    decrypt: bool,
) -> ParameterShape {
    ParameterShape {
        name: row.name.clone(),
        r#type: row.kind,
        value: value(row, version, decrypt),
        version: version.number,
        selector,
        last_modified_date: version.modified,
        arn: rules::arn(cx, &row.name),
        data_type: "text",
    }
}

/// The value for an answer. As on AWS, a SecureString without decryption is an opaque text, which must not contain the value.
pub(crate) fn value(row: &Parameter, version: &ParameterVersion, decrypt: bool) -> Secret<String> {
    match row.kind {
        ParameterType::SecureString if !decrypt => {
            Secret::new(format!("encrypted:{}:{}", row.name, version.number))
        }
        _ => version.value.clone(),
    }
}
