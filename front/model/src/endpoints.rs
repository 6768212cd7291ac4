//! The host names of AWS's endpoints.
//!
//! Source: the endpoints that botocore's clients use by default, today and in 2022; `tests/clients/test_aws_names.py` compares.
//! The dual-stack names (`*.api.aws`) and those of FIPS are used on request only.

/// The domain of all of them.
const DOMAIN: &str = "amazonaws.com";

/// The names of each service below [`DOMAIN`]. A name that begins with `*.` has further names one label below, for example
/// of buckets.
#[rustfmt::skip]
const NAMES: &[(&str, &[&str])] = &[
    ("acm", &["acm.{region}"]),
    ("application-autoscaling", &["application-autoscaling.{region}"]),
    ("autoscaling", &["autoscaling.{region}"]),
    ("cloudformation", &["cloudformation.{region}"]),
    ("cloudfront", &["cloudfront"]),
    ("cloudtrail", &["cloudtrail.{region}"]),
    ("cloudwatch", &["monitoring.{region}"]),
    ("ec2", &["ec2.{region}"]),
    // Clients of before 2019 use the name without `api`. The last one is the registry's, for Docker.
    ("ecr", &["api.ecr.{region}", "ecr.{region}", "{account}.dkr.ecr.{region}"]),
    ("ecs", &["ecs.{region}"]),
    ("elbv2", &["elasticloadbalancing.{region}"]),
    ("iam", &["iam"]),
    ("kms", &["kms.{region}"]),
    ("logs", &["logs.{region}"]),
    ("rds", &["rds.{region}"]),
    ("resourcegroupstaggingapi", &["tagging.{region}"]),
    ("route53", &["route53"]),
    // The name without a region finds a bucket in any region.
    ("s3", &["*.s3.{region}", "*.s3"]),
    ("s3control", &["*.s3-control.{region}"]),
    ("secretsmanager", &["secretsmanager.{region}"]),
    ("servicediscovery", &["servicediscovery.{region}", "data-servicediscovery.{region}"]),
    ("sns", &["sns.{region}"]),
    ("ssm", &["ssm.{region}"]),
    // Clients of before 2024 use the name without a region.
    ("sts", &["sts.{region}", "sts"]),
];

/// A name of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointName {
    pub name: String,
    /// Whether names one label below are the endpoint's, too.
    pub has_names_below: bool,
}

/// The names of a service's endpoint; none for a service that is not in [`crate::services()`].
pub fn endpoint_names(service: &str, region: &str, account: &str) -> Vec<EndpointName> {
    let names = NAMES.iter().find(|(id, _)| *id == service).map_or(&[][..], |(_, names)| names);
    let name = |pattern: &&str| {
        let below = pattern.strip_prefix("*.");
        let name = below.unwrap_or(pattern).replace("{region}", region).replace("{account}", account);
        EndpointName { name: format!("{name}.{DOMAIN}"), has_names_below: below.is_some() }
    };
    names.iter().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_service_has_names() {
        assert_eq!(NAMES.iter().map(|(id, _)| *id).collect::<Vec<_>>(), crate::services());
        for (id, names) in NAMES {
            let hosts = crate::listed().iter().find(|s| s.id == *id).unwrap().hosts;
            for name in *names {
                let known = hosts
                    .iter()
                    .any(|host| name.split('.').any(|label| label.ends_with(host)) || name.starts_with(host));
                assert!(known, "{name}");
            }
        }
    }

    #[test]
    fn names_have_region_and_account() {
        let names = |service| {
            endpoint_names(service, "eu-west-3", "000000000000")
                .into_iter()
                .map(|e| e.name)
                .collect::<Vec<_>>()
        };
        assert_eq!(names("sts"), ["sts.eu-west-3.amazonaws.com", "sts.amazonaws.com"]);
        assert_eq!(names("s3"), ["s3.eu-west-3.amazonaws.com", "s3.amazonaws.com"]);
        assert_eq!(names("ecr")[2], "000000000000.dkr.ecr.eu-west-3.amazonaws.com");
        assert_eq!(names("sqs"), Vec::<String>::new());
    }
}
