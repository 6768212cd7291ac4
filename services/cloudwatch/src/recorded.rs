//! Parameters that CloudWatch stores and that have no effect.

use escale_service::Recorded;

pub(crate) const RECORDED: &[Recorded] = &[
    Recorded { name: "PutDashboard.DashboardBody", reason: NO_CONSOLE },
    Recorded { name: "AWS::CloudWatch::Dashboard.DashboardBody", reason: NO_CONSOLE },
];

const NO_CONSOLE: &str = "Escale has no console that shows dashboards";
