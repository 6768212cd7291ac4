//! No operation can be called without permission.

use crate::{
    cloud::{Answer, Harness, Key},
    input,
};
use escale_store::StoreError;
use escale_tables::{
    ec2::{Address, RouteTable, SubnetIpv6Block, Vpc},
    iam::User,
};
use serde_json::{Value, json};

/// The operations that need no permission, only a signature:
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html> and
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html> ("No permissions are required").
const FREE: [(&str, &str); 2] = [("sts", "GetCallerIdentity"), ("sts", "GetSessionToken")];

/// Operations whose actions have no resource types in the Service Authorization Reference, besides those that describe or list:
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>
const WITHOUT_RESOURCES: &[(&str, &str)] = &[
    ("cloudformation", "GetTemplateSummary"), // here of a template without a stack
    ("cloudformation", "ValidateTemplate"),
    ("cloudtrail", "LookupEvents"),
    ("cloudfront", "CreateCachePolicy"),
    ("cloudfront", "CreateCloudFrontOriginAccessIdentity"),
    ("cloudfront", "CreateDistribution"),
    ("cloudfront", "CreateDistributionWithTags"),
    ("cloudfront", "CreateKeyGroup"),
    ("cloudfront", "CreateOriginAccessControl"),
    ("cloudfront", "CreateOriginRequestPolicy"),
    ("cloudfront", "CreatePublicKey"),
    ("cloudfront", "CreateResponseHeadersPolicy"),
    ("cloudfront", "DeleteKeyGroup"),
    ("cloudfront", "DeletePublicKey"),
    ("cloudfront", "GetKeyGroup"),
    ("cloudfront", "GetKeyGroupConfig"),
    ("cloudfront", "GetPublicKey"),
    ("cloudfront", "GetPublicKeyConfig"),
    ("cloudfront", "UpdateKeyGroup"),
    ("cloudfront", "UpdatePublicKey"),
    ("cloudwatch", "GetMetricData"),
    ("cloudwatch", "GetMetricStatistics"),
    ("cloudwatch", "PutMetricData"),
    ("ecr", "GetAuthorizationToken"),
    ("ecs", "DeregisterTaskDefinition"),
    ("ecs", "PutAccountSetting"),
    ("iam", "GetAccountSummary"),
    ("route53", "CreateHealthCheck"),
    ("route53", "CreateHostedZone"),
    ("route53", "GetHealthCheckCount"),
    ("route53", "GetHostedZoneCount"),
    ("route53", "TestDNSAnswer"),
    ("secretsmanager", "GetRandomPassword"),
    ("servicediscovery", "CreateHttpNamespace"),
    ("servicediscovery", "CreatePrivateDnsNamespace"),
    ("servicediscovery", "DiscoverInstances"),
    ("servicediscovery", "DiscoverInstancesRevision"),
    ("servicediscovery", "GetOperation"),
    ("sts", "GetAccessKeyInfo"),
    ("sns", "Publish"), // here without the topic, which the model does not require
];

#[tokio::test]
async fn denies_every_operation_without_a_policy_and_by_an_explicit_deny() {
    let harness = Harness::open().await;
    let all = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
    let nothing = json!({"Effect": "Deny", "Action": "*", "Resource": "*"});
    let no_policy = harness.user("no-policy", json!([]));
    let denied = harness.user("denied", json!([all, nothing]));
    let mut faults = Vec::new();
    let operations = harness.operations();
    for (service, name) in &operations {
        for (who, key) in [("no-policy", &no_policy), ("denied", &denied)] {
            let answer = call(&harness, Some(key), service, name).await;
            let allowed = answer.status < 300;
            let free = FREE.contains(&(*service, *name));
            if free != allowed || (!free && !answer.is_denied()) {
                faults.push(format!("{service}:{name} as {who}: {answer:?}"));
            }
        }
        // The only operations that AWS accepts unsigned are those of STS that exchange a token; they are not enacted.
        let unsigned = call(&harness, None, service, name).await;
        let refused = ["MissingAuthenticationToken", "MissingAuthenticationTokenException", "AuthFailure"];
        if !unsigned.is_denied() && !refused.contains(&unsigned.code.as_str()) {
            faults.push(format!("{service}:{name} unsigned: {unsigned:?}"));
        }
    }
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), operations.len(), faults.join("\n"));
    assert!(operations.len() > 350, "{}", operations.len());
}

/// A `Deny` of particular resources applies only if the operation passes its resources to IAM.
#[tokio::test]
async fn denies_every_operation_on_resources_by_a_deny_of_their_arns() {
    let harness = Harness::open().await;
    let all = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
    let arns = json!({"Effect": "Deny", "Action": "*", "Resource": "arn:aws:*"});
    let user = harness.user("denied", json!([all, arns]));
    // The ARNs for an association or a public address are those of its subnet, VPC, route table or address row, so these must exist.
    let vpc = json!({"CidrBlock": "10.0.0.0/16", "AmazonProvidedIpv6CidrBlock": true});
    harness.seed("ec2", "CreateVpc", vpc);
    let vpc = harness
        .store
        .read()
        .scan::<Vpc>()
        .find(|v| v.cidr.to_string() == "10.0.0.0/16")
        .map(|v| v.id.to_string());
    let subnet =
        json!({"VpcId": vpc, "CidrBlock": "10.0.0.0/24", "Ipv6CidrBlock": "2001:db8:1000:1000::/64"});
    harness.seed("ec2", "CreateSubnet", subnet);
    harness.seed("ec2", "AllocateAddress", json!({}));
    let mut faults = Vec::new();
    for (service, name) in harness.operations() {
        let lists = ["Describe", "List"].iter().any(|verb| name.starts_with(verb));
        if lists || FREE.contains(&(service, name)) || WITHOUT_RESOURCES.contains(&(service, name)) {
            continue;
        }
        let answer = call(&harness, Some(&user), service, name).await;
        if !answer.is_denied() {
            faults.push(format!("{service}:{name}: {answer:?}"));
        }
    }
    assert!(faults.is_empty(), "{}:\n{}", faults.len(), faults.join("\n"));
}

/// An unreadable policy may contain a `Deny`. An earlier version of Escale may have stored one that this version refuses.
#[tokio::test]
async fn an_unreadable_stored_policy_denies_everything() {
    let harness = Harness::open().await;
    let all = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
    let user = harness.user("unreadable", json!([all]));
    assert_eq!(call(&harness, Some(&user), "ecs", "ListClusters").await.status, 200);
    let change = |text: &str| {
        let written = harness.store.write::<(), StoreError>(|tx| {
            tx.update::<User, _>("unreadable", |u| u.inline.insert("other".into(), text.into()));
            Ok(())
        });
        written.unwrap();
    };
    change(r#"{"Statement": [{"Effect": "Deny", "Effect": "Allow", "Action": "*", "Resource": "*"}]}"#);
    assert!(call(&harness, Some(&user), "ecs", "ListClusters").await.is_denied());
    change(r#"{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}"#);
    assert_eq!(call(&harness, Some(&user), "ecs", "ListClusters").await.status, 200);
}

/// AWS exempts three actions, so that the root can always repair a bucket's policy.
#[tokio::test]
async fn a_bucket_policy_applies_to_the_root() {
    let harness = Harness::open().await;
    let root = Harness::root();
    let configuration = json!({"LocationConstraint": "eu-west-3"});
    let bucket = json!({"Bucket": "walk-bucket", "CreateBucketConfiguration": configuration});
    harness.seed("s3", "CreateBucket", bucket);
    let deny = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Deny", "Principal": "*", "Action": "s3:*",
        "Resource": ["arn:aws:s3:::walk-bucket", "arn:aws:s3:::walk-bucket/*"],
    }]});
    harness.seed("s3", "PutBucketPolicy", json!({"Bucket": "walk-bucket", "Policy": deny.to_string()}));
    for name in ["GetObject", "PutObject", "ListObjectsV2", "DeleteBucket", "GetBucketTagging"] {
        assert!(call(&harness, Some(&root), "s3", name).await.is_denied(), "{name}");
    }
    for name in ["GetBucketPolicy", "DeleteBucketPolicy", "ListObjectsV2"] {
        let answer = call(&harness, Some(&root), "s3", name).await;
        assert!(answer.status < 300, "{name}: {answer:?}");
    }
}

async fn call(harness: &Harness, key: Option<&Key>, service: &str, name: &str) -> Answer {
    let model = escale_model::service(service).unwrap();
    let mut least = input::least(model, model.operation(name).unwrap());
    complete(harness, service, name, &mut least);
    harness.call(key, service, name, least).await
}

/// Adds members that the service requires and its model does not, so that the request names its resources.
fn complete(harness: &Harness, service: &str, name: &str, input: &mut Value) {
    let more = match (service, name) {
        ("ec2", "AssociateAddress") => json!({"AllocationId": "eipalloc-1", "NetworkInterfaceId": "eni-1"}),
        ("ec2", "AssociateRouteTable") => json!({"RouteTableId": "rtb-1", "SubnetId": "subnet-1"}),
        ("ec2", "ReleaseAddress") => json!({"AllocationId": "eipalloc-1"}),
        ("ec2", "DisassociateAddress") => {
            let address = harness.store.read().scan::<Address>().next().map(|a| a.public_ip.to_string());
            json!({"PublicIp": address.unwrap_or_else(|| "198.18.0.1".into())})
        }
        ("ec2", "DisassociateRouteTable" | "ReplaceRouteTableAssociation") => {
            let table =
                harness.store.read().scan::<RouteTable>().find_map(|t| t.associations.first().cloned());
            json!({"AssociationId": table.map_or_else(|| "rtbassoc-1".into(), |a| a.id)})
        }
        ("ec2", "DisassociateVpcCidrBlock") => {
            let vpc = harness.store.read().scan::<Vpc>().next().map(|v| v.id.as_str().to_owned());
            let vpc = vpc.unwrap_or_else(|| "vpc-1".into());
            json!({"AssociationId": vpc.replacen("vpc-", "vpc-cidr-assoc-", 1)})
        }
        ("ec2", "DisassociateSubnetCidrBlock") => {
            let block = harness.store.read().scan::<SubnetIpv6Block>().next().map(|b| b.id.to_string());
            json!({"AssociationId": block.unwrap_or_else(|| "subnet-cidr-assoc-1".into())})
        }
        (
            "ec2",
            "AuthorizeSecurityGroupIngress"
            | "DeleteSecurityGroup"
            | "RevokeSecurityGroupIngress"
            | "UpdateSecurityGroupRuleDescriptionsEgress"
            | "UpdateSecurityGroupRuleDescriptionsIngress",
        ) => json!({"GroupId": "sg-1"}),
        ("cloudformation", "DeleteChangeSet" | "ExecuteChangeSet" | "GetTemplate") => {
            json!({"StackName": "walk"})
        }
        ("cloudfront", "TagResource" | "UntagResource") => {
            json!({"Resource": "arn:aws:cloudfront::000000000000:distribution/E1"})
        }
        ("logs", "FilterLogEvents" | "GetLogEvents") => json!({"logGroupName": "walk"}),
        ("rds", "AddTagsToResource" | "RemoveTagsFromResource") => {
            json!({"ResourceName": "arn:aws:rds:eu-west-3:000000000000:db:walk"})
        }
        _ => return,
    };
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
}
