//! The AWS managed policies: documents of AWS's, which every account can attach and none can change.
//!
//! Source: <https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html>. `cargo xtask models` writes them to
//! `models/iam/managed-policies.json`, one policy a line.

use escale_base::Timestamp;
use escale_policy::{Document, Kind};
use escale_tables::iam::{IamPath, PolicyArn, PolicyName, PolicyVersionId};
use serde::Deserialize;
use std::sync::{LazyLock, OnceLock};

/// The prefix of the ARNs of AWS managed policies.
pub(crate) const PREFIX: &str = "arn:aws:iam::aws:policy";

/// The path of the policies that only service-linked roles can have.
const OF_SERVICES: &str = "/aws-service-role/";

static FILE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/managed-policies.json.z"));

/// In the order of their names. Without their documents, which have several megabytes.
static ALL: LazyLock<Vec<AwsManaged>> = LazyLock::new(|| {
    let text = escale_model::unpack(FILE);
    lines(&text).map(read::<AwsManaged>).collect()
});

/// An AWS managed policy.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AwsManaged {
    pub name: PolicyName,
    pub path: IamPath,
    /// The only version that is known here.
    pub default_version_id: PolicyVersionId,
    /// Seconds since 1970.
    create_date: i64,
    update_date: i64,
    #[serde(skip)]
    document: OnceLock<String>,
}

impl AwsManaged {
    pub(crate) fn arn(&self) -> PolicyArn {
        PolicyArn(format!("{PREFIX}{}{}", self.path, self.name))
    }

    pub(crate) fn created(&self) -> Timestamp {
        Timestamp(self.create_date * 1000)
    }

    pub(crate) fn updated(&self) -> Timestamp {
        Timestamp(self.update_date * 1000)
    }

    pub(crate) fn is_of_service(&self) -> bool {
        self.path.starts_with(OF_SERVICES)
    }

    pub(crate) fn document(&self) -> &str {
        self.document.get_or_init(|| {
            let text = escale_model::unpack(FILE);
            let start = format!("{{\"Name\":\"{}\",", self.name);
            let line = lines(&text).find(|line| line.starts_with(&start));
            read::<WithDocument>(line.expect("each policy was read from a line")).document.to_string()
        })
    }

    /// The parsed document; `Err` names a part of it that is not evaluated.
    pub(crate) fn parse(&self) -> Result<Document, String> {
        Document::parse(self.document(), Kind::Identity)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WithDocument {
    document: serde_json::Value,
}

/// The policies' lines of the file, which is a list.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(|line| line.trim_end_matches(',')).filter(|line| line.starts_with('{'))
}

fn read<'a, T: Deserialize<'a>>(line: &'a str) -> T {
    match serde_json::from_str(line) {
        Ok(read) => read,
        // The file is part of the program, and a test reads all of it.
        Err(error) => panic!("models/iam/managed-policies.json: {error}"),
    }
}

pub(crate) fn all() -> impl Iterator<Item = &'static AwsManaged> {
    ALL.iter()
}

/// The AWS managed policy with this ARN.
pub(crate) fn find(arn: &PolicyArn) -> Option<&'static AwsManaged> {
    let path_and_name = arn.strip_prefix(PREFIX)?;
    let (_, name) = path_and_name.rsplit_once('/')?;
    let at = ALL.binary_search_by(|policy| policy.name.as_str().cmp(name)).ok()?;
    ALL.get(at).filter(|policy| *arn == policy.arn())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_is_found_by_its_arn() {
        assert!(all().is_sorted_by(|a, b| a.name < b.name));
        assert!(all().all(|policy| std::ptr::eq(find(&policy.arn()).unwrap(), policy)));
        assert!(find(&"arn:aws:iam::aws:policy/service-role/AdministratorAccess".into()).is_none());
    }

    /// The policies that the CDK's bootstrap stack and applications of this architecture attach.
    #[test]
    fn policies_of_this_architecture_can_be_attached() {
        for name in [
            "AWSCloudFormationReadOnlyAccess",
            "AdministratorAccess",
            "AmazonEC2ContainerRegistryPowerUser",
            "AmazonEC2ContainerRegistryReadOnly",
            "AmazonRDSReadOnlyAccess",
            "AmazonS3FullAccess",
            "AmazonS3ReadOnlyAccess",
            "AmazonSSMReadOnlyAccess",
            "CloudWatchLogsFullAccess",
            "CloudWatchLogsReadOnlyAccess",
            "IAMFullAccess",
            "IAMReadOnlyAccess",
            "PowerUserAccess",
            "ReadOnlyAccess",
            "SecretsManagerReadWrite",
            "service-role/AmazonECSTaskExecutionRolePolicy",
            "service-role/AmazonRDSEnhancedMonitoringRole",
        ] {
            find(&format!("{PREFIX}/{name}").into()).unwrap().parse().unwrap();
        }
    }

    /// The documents that are not evaluated, and no others, are refused for a part that they name.
    #[test]
    fn documents_are_refused_only_for_parts_that_are_not_evaluated() {
        let text = escale_model::unpack(FILE);
        let documents: Vec<_> =
            lines(&text).map(|line| read::<WithDocument>(line).document.to_string()).collect();
        let errors: Vec<_> =
            documents.iter().filter_map(|d| Document::parse(d, Kind::Identity).err()).collect();
        for error in &errors {
            assert!(error.ends_with("is not supported"), "{error}");
        }
        assert!(errors.len() * 2 < documents.len(), "{} of {}", errors.len(), documents.len());
    }
}
