//! The summary of a template for `ValidateTemplate` and `GetTemplateSummary`.

use super::expression::Form;
use super::sections::{Resource, Template};
use escale_tables::cloudformation::Capability;
use std::collections::BTreeSet;

/// The capabilities that the caller must acknowledge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Empty if none is needed.
    pub needed: Vec<Capability>,
    pub reason: Option<String>,
}

impl Template {
    /// Type names, each once, sorted.
    pub fn resource_types(&self) -> Vec<&str> {
        self.resources.values().map(|r| r.type_name.as_str()).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Source: "Acknowledging IAM resources in CloudFormation templates".
    pub fn capabilities(&self) -> Capabilities {
        let iam: Vec<&Resource> =
            self.resources.values().filter(|r| IAM.contains(&r.type_name.as_str())).collect();
        let mut needed = Vec::new();
        if !iam.is_empty() {
            let named = iam.iter().any(|r| is_named(r));
            needed.push(if named { Capability::CapabilityNamedIam } else { Capability::CapabilityIam });
        }
        if !self.transforms.is_empty() {
            needed.push(Capability::CapabilityAutoExpand);
        }
        let types: BTreeSet<&str> = iam.iter().map(|r| r.type_name.as_str()).collect();
        let causes: Vec<&str> = types.into_iter().chain(self.transforms.iter().map(String::as_str)).collect();
        let reason = format!("The following resource(s) require capabilities: [{}]", causes.join(", "));
        Capabilities { reason: (!needed.is_empty()).then_some(reason), needed }
    }

    /// The capabilities not acknowledged yet. `CAPABILITY_NAMED_IAM` includes `CAPABILITY_IAM`. `for_change_set`: the request
    /// creates a change set, which shows the processed template before anything is created, so a transform needs no
    /// acknowledgement: <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html>
    pub fn capabilities_missing(&self, acknowledged: &[Capability], for_change_set: bool) -> Vec<Capability> {
        let covers = |needed: &Capability| match needed {
            Capability::CapabilityAutoExpand if for_change_set => true,
            Capability::CapabilityIam if acknowledged.contains(&Capability::CapabilityNamedIam) => true,
            other => acknowledged.contains(other),
        };
        self.capabilities().needed.into_iter().filter(|needed| !covers(needed)).collect()
    }
}

const IAM: &[&str] = &[
    "AWS::IAM::AccessKey",
    "AWS::IAM::Group",
    "AWS::IAM::InstanceProfile",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Policy",
    "AWS::IAM::Role",
    "AWS::IAM::RolePolicy",
    "AWS::IAM::GroupPolicy",
    "AWS::IAM::User",
    "AWS::IAM::UserPolicy",
    "AWS::IAM::UserToGroupAddition",
];

/// Whether the template sets the resource's name. The name of an inline policy does not count.
fn is_named(resource: &Resource) -> bool {
    const NAMES: &[&str] = &["GroupName", "InstanceProfileName", "ManagedPolicyName", "RoleName", "UserName"];
    let Form::Map(entries) = &resource.properties.form else { return false };
    let own = matches!(
        resource.type_name.as_str(),
        "AWS::IAM::Group"
            | "AWS::IAM::InstanceProfile"
            | "AWS::IAM::ManagedPolicy"
            | "AWS::IAM::Role"
            | "AWS::IAM::User"
    );
    own && entries.iter().any(|(key, _)| NAMES.contains(&key.as_str()))
}
