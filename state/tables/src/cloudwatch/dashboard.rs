//! Dashboards. They are only recorded.

use crate::row;
use escale_base::Timestamp;
use serde::{Deserialize, Serialize};

escale_base::name! {
    DashboardName;
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dashboard {
    pub name: DashboardName,
    /// A JSON document.
    pub body: String,
    pub modified: Timestamp,
}
row!(Dashboard, "cloudwatch_dashboard", |r| r.name.to_string());
