//! Shapes that several operations give.

use escale_base::{Arn, Tag, Timestamp, Wire};
use escale_service::Config;
use escale_tables::iam::Role;

#[derive(Debug, Wire)]
pub(crate) struct RoleShape {
    pub path: String,
    pub role_name: String,
    pub role_id: String,
    pub arn: String,
    pub create_date: Timestamp,
    pub assume_role_policy_document: String,
    pub description: Option<String>,
    pub max_session_duration: i32,
    pub tags: Vec<Tag>,
}

pub(crate) fn role(row: &Role, config: &Config) -> RoleShape {
    let arn = Arn::new("iam", "", &config.account, format!("role{}{}", row.path, row.name));
    RoleShape {
        path: row.path.clone(),
        role_name: row.name.clone(),
        role_id: row.id.clone(),
        arn: arn.to_string(),
        create_date: row.created,
        // IAM answers with the document percent-encoded; every SDK decodes it.
        assume_role_policy_document: percent_encode(&row.trust),
        description: row.description.clone(),
        max_session_duration: row.max_session_secs,
        tags: row.tags.clone(),
    }
}

/// RFC 3986: everything but unreserved characters.
pub(crate) fn percent_encode(text: &str) -> String {
    let unreserved = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes()
        .map(|b| if unreserved(b) { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}
