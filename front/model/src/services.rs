//! The list of services, with the identifiers that recognise a request without parsing any model.

use crate::ServiceModel;
use std::sync::OnceLock;

/// A service and its identifiers. They repeat parts of its model; a test compares the two.
pub struct Service {
    pub id: &'static str,
    pub api_version: &'static str,
    pub target_prefix: &'static str,
    pub signing_name: &'static str,
    /// Names of its endpoint: the first label of a host name.
    pub hosts: &'static [&'static str],
    /// Compressed: [`crate::unpack`].
    text: &'static [u8],
    parsed: OnceLock<ServiceModel>,
}

macro_rules! services {
    ($($id:literal $version:literal $target:literal $signing:literal [$($host:literal),*];)*) => {
        static LISTED: [Service; 24] = [$(Service {
            id: $id, api_version: $version, target_prefix: $target, signing_name: $signing, hosts: &[$($host),*],
            text: include_bytes!(concat!(env!("OUT_DIR"), "/", $id, ".json.z")),
            parsed: OnceLock::new(),
        }),*];
        static IDS: &[&str] = &[$($id),*];
    };
}

services! {
    "acm" "2015-12-08" "CertificateManager" "acm" ["acm"];
    "application-autoscaling" "2016-02-06" "AnyScaleFrontendService" "application-autoscaling"
        ["application-autoscaling"];
    "autoscaling" "2011-01-01" "" "autoscaling" ["autoscaling"];
    "cloudformation" "2010-05-15" "" "cloudformation" ["cloudformation"];
    "cloudfront" "2020-05-31" "" "cloudfront" ["cloudfront"];
    "cloudtrail" "2013-11-01" "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101" "cloudtrail" ["cloudtrail"];
    "cloudwatch" "2010-08-01" "GraniteServiceVersion20100801" "monitoring" ["monitoring"];
    "ec2" "2016-11-15" "" "ec2" ["ec2"];
    "ecr" "2015-09-21" "AmazonEC2ContainerRegistry_V20150921" "ecr" ["api.ecr", "ecr"];
    "ecs" "2014-11-13" "AmazonEC2ContainerServiceV20141113" "ecs" ["ecs"];
    "elbv2" "2015-12-01" "" "elasticloadbalancing" ["elasticloadbalancing"];
    "iam" "2010-05-08" "" "iam" ["iam"];
    "kms" "2014-11-01" "TrentService" "kms" ["kms"];
    "logs" "2014-03-28" "Logs_20140328" "logs" ["logs"];
    "rds" "2014-10-31" "" "rds" ["rds"];
    "resourcegroupstaggingapi" "2017-01-26" "ResourceGroupsTaggingAPI_20170126" "tagging" ["tagging"];
    "route53" "2013-04-01" "" "route53" ["route53"];
    "s3" "2006-03-01" "" "s3" ["s3"];
    "s3control" "2018-08-20" "" "s3" ["s3-control"];
    "secretsmanager" "2017-10-17" "secretsmanager" "secretsmanager" ["secretsmanager"];
    "servicediscovery" "2017-03-14" "Route53AutoNaming_v20170314" "servicediscovery" ["servicediscovery"];
    "sns" "2010-03-31" "" "sns" ["sns"];
    "ssm" "2014-11-06" "AmazonSSM" "ssm" ["ssm"];
    "sts" "2011-06-15" "" "sts" ["sts"];
}

/// The ids of all services, in alphabetical order.
pub fn services() -> &'static [&'static str] {
    IDS
}

/// All services; parses no model.
pub fn listed() -> &'static [Service] {
    &LISTED
}

/// The model of a service, parsed at the first call; `None` for an id that is not in [`services()`].
pub fn service(id: &str) -> Option<&'static ServiceModel> {
    LISTED.iter().find(|s| s.id == id).map(Service::model)
}

impl Service {
    pub fn model(&'static self) -> &'static ServiceModel {
        self.parsed.get_or_init(|| match ServiceModel::parse(self.id, &crate::unpack(self.text)) {
            Ok(model) => model,
            // The models are part of the program, and a test parses every one of them.
            Err(e) => panic!("{e}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_agree_with_the_models() {
        let mut operations = 0;
        for service in listed() {
            let model = ServiceModel::parse(service.id, &crate::unpack(service.text)).unwrap();
            assert_eq!(model.api_version, service.api_version, "{}", service.id);
            assert_eq!(model.target_prefix, service.target_prefix, "{}", service.id);
            assert_eq!(model.signing_name, service.signing_name, "{}", service.id);
            operations += model.operations.len();
        }
        // Exact, so that a model which is trimmed too far is noticed.
        assert_eq!(operations, 1029);
        assert!(IDS.is_sorted());
        assert_eq!(IDS.len(), 24);
    }

    #[test]
    fn every_xml_service_has_a_namespace() {
        use crate::Protocol::{Ec2, Query, RestXml};
        for service in listed() {
            let model = service.model();
            if [Ec2, Query, RestXml].iter().any(|p| model.speaks(*p)) {
                assert!(model.xml_namespace.starts_with("http"), "{}: {}", model.id, model.xml_namespace);
            }
        }
    }

    #[test]
    fn finds_streamed_members() {
        let s3 = service("s3").unwrap();
        assert_eq!(s3.operation("PutObject").unwrap().streams_in(), Some("Body"));
        assert_eq!(s3.operation("UploadPart").unwrap().streams_in(), Some("Body"));
        assert_eq!(s3.operation("GetObject").unwrap().streams_out(), Some("Body"));
        assert_eq!(s3.operation("HeadObject").unwrap().streams_out(), None);
        assert!(service("logs").unwrap().operation("StartLiveTail").unwrap().event_stream_out());
        assert!(service("nope").is_none());
    }
}
