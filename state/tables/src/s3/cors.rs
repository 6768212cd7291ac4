//! CORS configurations of buckets, in AWS's shape: they are returned as they were put.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CORSRule.html>

use escale_base::Wire;
use serde::{Deserialize, Serialize};

escale_base::name! {
    CorsRuleId;
    /// The origin of a web page, or all origins that match its one `*`.
    OriginPattern;
    /// The name of a header, or all names that match its one `*`.
    HeaderPattern;
}

escale_base::choice! {
    pub enum CorsMethod { Get = "GET", Put = "PUT", Head = "HEAD", Post = "POST", Delete = "DELETE" }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct CorsRule {
    #[wire("ID")]
    pub id: Option<CorsRuleId>,
    pub allowed_headers: Option<Vec<HeaderPattern>>,
    pub allowed_methods: Vec<CorsMethod>,
    pub allowed_origins: Vec<OriginPattern>,
    pub expose_headers: Option<Vec<HeaderPattern>>,
    pub max_age_seconds: Option<u32>,
}
