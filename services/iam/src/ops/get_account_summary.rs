//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountSummary.html>

use crate::{Error, entity::Entity};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::iam::{Policy, Role, User};
use std::collections::BTreeMap;

pub(crate) struct GetAccountSummary;

#[derive(Wire)]
pub(crate) struct Output {
    summary_map: BTreeMap<String, usize>,
}

impl Operation for GetAccountSummary {
    type Input = ();
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, _: ()) -> Result<Output, Error> {
        let policies: Vec<_> = cx.tx.scan::<Policy>().collect();
        let summary_map = [
            ("Users", cx.tx.scan::<User>().count()),
            ("Roles", cx.tx.scan::<Role>().count()),
            ("Policies", policies.len()),
            ("PolicyVersionsInUse", policies.iter().map(|p| p.versions.len()).sum()),
            ("Groups", 0),
            ("InstanceProfiles", 0),
            ("MFADevices", 0),
            ("ServerCertificates", 0),
            ("AttachedPoliciesPerRoleQuota", Role::ATTACHED_MAX),
            ("AttachedPoliciesPerUserQuota", User::ATTACHED_MAX),
        ];
        Ok(Output { summary_map: summary_map.map(|(k, v)| (k.to_owned(), v)).into() })
    }
}
