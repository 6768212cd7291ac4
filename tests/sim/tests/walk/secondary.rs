//! Secondary actions: a request is denied without each of them.

use crate::{
    cloud::{Answer, Harness, Key},
    encode, input,
};
use escale_base::wire::Field;
use serde_json::{Value, json};

/// Allows everything except one action.
fn all_but(action: &str) -> Value {
    json!([
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": action, "Resource": "*"},
    ])
}

async fn send(harness: &Harness, key: &Key, service: &str, name: &str, input: &Value) -> Answer {
    let model = escale_model::service(service).unwrap();
    let request = encode::request(model, model.operation(name).unwrap(), input, false);
    harness.send(Some(key), &model.signing_name, request).await
}

/// Operation, input, and the action without which it is denied.
type Row = (&'static str, &'static str, Value, &'static str);

/// Adds members to an input.
fn with(mut input: Value, more: Value) -> Value {
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input
}

/// Sources: the Service Authorization Reference ("dependent actions") and the page of each operation in S3's API reference.
fn objects() -> Vec<Row> {
    let object = |more: Value| with(json!({"Bucket": "walk-bucket", "Key": "key"}), more);
    let version = || object(json!({"VersionId": "v1"}));
    let attributes = |more: Value| with(object(json!({"ObjectAttributes": ["ETag"]})), more);
    let tag_set = json!({"TagSet": [{"Key": "a", "Value": "b"}]});
    let copy = |source: &str| object(json!({"CopySource": source}));
    vec![
        ("s3", "GetObject", version(), "s3:GetObjectVersion"),
        ("s3", "HeadObject", version(), "s3:GetObjectVersion"),
        ("s3", "GetObjectAttributes", attributes(json!({})), "s3:GetObject"),
        ("s3", "GetObjectAttributes", attributes(json!({})), "s3:GetObjectAttributes"),
        ("s3", "GetObjectAttributes", attributes(json!({"VersionId": "v1"})), "s3:GetObjectVersion"),
        (
            "s3",
            "GetObjectAttributes",
            attributes(json!({"VersionId": "v1"})),
            "s3:GetObjectVersionAttributes",
        ),
        ("s3", "GetObjectTagging", version(), "s3:GetObjectVersionTagging"),
        (
            "s3",
            "PutObjectTagging",
            object(json!({"VersionId": "v1", "Tagging": tag_set})),
            "s3:PutObjectVersionTagging",
        ),
        ("s3", "DeleteObjectTagging", version(), "s3:DeleteObjectVersionTagging"),
        ("s3", "DeleteObject", version(), "s3:DeleteObjectVersion"),
        (
            "s3",
            "DeleteObjects",
            json!({"Bucket": "walk-bucket", "Delete": {"Objects": [{"Key": "a"}, {"Key": "b", "VersionId": "v1"}]}}),
            "s3:DeleteObjectVersion",
        ),
        ("s3", "PutObject", object(json!({"Tagging": "a=b"})), "s3:PutObjectTagging"),
        ("s3", "CreateMultipartUpload", object(json!({"Tagging": "a=b"})), "s3:PutObjectTagging"),
        ("s3", "CopyObject", copy("walk-bucket/tagged"), "s3:PutObject"),
        ("s3", "CopyObject", copy("walk-bucket/tagged"), "s3:GetObject"),
        ("s3", "CopyObject", copy("walk-bucket/tagged?versionId=null"), "s3:GetObjectVersion"),
        ("s3", "CopyObject", copy("walk-bucket/tagged"), "s3:GetObjectTagging"),
        ("s3", "CopyObject", copy("walk-bucket/tagged?versionId=null"), "s3:GetObjectVersionTagging"),
        ("s3", "CopyObject", copy("walk-bucket/tagged"), "s3:PutObjectTagging"),
        (
            "s3",
            "CopyObject",
            object(
                json!({"CopySource": "walk-bucket/plain", "TaggingDirective": "REPLACE", "Tagging": "a=b"}),
            ),
            "s3:PutObjectTagging",
        ),
        (
            "s3",
            "CompleteMultipartUpload",
            object(json!({"UploadId": "u", "MultipartUpload": {"Parts": []}})),
            "s3:PutObject",
        ),
        ("s3", "UploadPart", object(json!({"UploadId": "u", "PartNumber": 1})), "s3:PutObject"),
    ]
}

/// Sources: the Service Authorization Reference and the page of each operation in its service's API reference.
/// A distribution with standard logs.
fn logged() -> Value {
    let bucket = "walk-bucket.s3.amazonaws.com";
    json!({"DistributionConfig": {
        "CallerReference": "walk", "Comment": "", "Enabled": true,
        "Origins": {"Quantity": 1, "Items": [{"Id": "o", "DomainName": bucket, "S3OriginConfig": {"OriginAccessIdentity": ""}}]},
        "DefaultCacheBehavior": {
            "TargetOriginId": "o", "ViewerProtocolPolicy": "allow-all", "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6",
        },
        "Logging": {"Enabled": true, "IncludeCookies": false, "Bucket": bucket, "Prefix": ""},
    }})
}

fn databases() -> Vec<Row> {
    let instance = |more: Value| with(json!({"DBInstanceIdentifier": "walk"}), more);
    let new =
        json!({"DBInstanceClass": "db.t4g.micro", "Engine": "postgres", "ManageMasterUserPassword": true});
    let restored = json!({"DBSnapshotIdentifier": "s", "ManageMasterUserPassword": true});
    vec![
        (
            "rds",
            "DeleteDBInstance",
            instance(json!({"FinalDBSnapshotIdentifier": "s"})),
            "rds:CreateDBSnapshot",
        ),
        ("rds", "StopDBInstance", instance(json!({"DBSnapshotIdentifier": "s"})), "rds:CreateDBSnapshot"),
        ("rds", "CreateDBInstance", instance(new.clone()), "secretsmanager:CreateSecret"),
        ("rds", "CreateDBInstance", instance(new), "secretsmanager:TagResource"),
        ("rds", "RestoreDBInstanceFromDBSnapshot", instance(restored), "secretsmanager:CreateSecret"),
        (
            "rds",
            "RestoreDBInstanceToPointInTime",
            json!({"SourceDBInstanceIdentifier": "walk", "TargetDBInstanceIdentifier": "x", "ManageMasterUserPassword": true}),
            "secretsmanager:CreateSecret",
        ),
        (
            "rds",
            "ModifyDBInstance",
            instance(json!({"ManageMasterUserPassword": true})),
            "secretsmanager:CreateSecret",
        ),
        (
            "rds",
            "ModifyDBInstance",
            instance(json!({"RotateMasterUserPassword": true})),
            "secretsmanager:RotateSecret",
        ),
    ]
}

fn resources() -> Vec<Row> {
    let role = "arn:aws:iam::000000000000:role/walk";
    let definition = |more: Value| {
        with(
            json!({
                "family": "walk", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
                "containerDefinitions": [{"name": "a", "image": "b"}],
            }),
            more,
        )
    };
    let network = json!({"awsvpcConfiguration": {"subnets": ["subnet-1"]}});
    let run = |more: Value| {
        with(
            json!({"taskDefinition": "seeded", "networkConfiguration": network, "launchType": "FARGATE"}),
            more,
        )
    };
    let zone = json!({"HostedZoneId": "Z1", "VPC": {"VPCRegion": "eu-west-3", "VPCId": "vpc-1"}});
    let vpc = json!({"VPCRegion": "eu-west-3", "VPCId": "vpc-1"});
    let namespace = json!({"Name": "a.test", "Vpc": "vpc-1"});
    let target = json!({"ServiceNamespace": "ecs", "ResourceId": "service/a/b", "ScalableDimension": "ecs:service:DesiredCount"});
    vec![
        ("application-autoscaling", "RegisterScalableTarget", target, "iam:CreateServiceLinkedRole"),
        (
            "ec2",
            "CreateFlowLogs",
            json!({"ResourceType": "VPC", "ResourceIds": ["vpc-1"], "TrafficType": "ALL", "LogGroupName": "g",
                "DeliverLogsPermissionArn": role}),
            "iam:PassRole",
        ),
        (
            "ec2",
            "CreateFlowLogs",
            json!({"ResourceType": "VPC", "ResourceIds": ["vpc-1"], "TrafficType": "ALL", "LogDestinationType": "s3",
                "LogDestination": "arn:aws:s3:::walk-bucket"}),
            "logs:CreateLogDelivery",
        ),
        ("ecs", "RegisterTaskDefinition", definition(json!({"taskRoleArn": role})), "iam:PassRole"),
        ("ecs", "RegisterTaskDefinition", definition(json!({"executionRoleArn": role})), "iam:PassRole"),
        ("ecs", "RunTask", run(json!({})), "iam:PassRole"),
        ("ecs", "RunTask", run(json!({"overrides": {"taskRoleArn": role}})), "iam:PassRole"),
        ("ecs", "RunTask", run(json!({"overrides": {"executionRoleArn": role}})), "iam:PassRole"),
        ("route53", "AssociateVPCWithHostedZone", zone.clone(), "ec2:DescribeVpcs"),
        ("route53", "DisassociateVPCFromHostedZone", zone, "ec2:DescribeVpcs"),
        (
            "route53",
            "CreateHostedZone",
            json!({"Name": "a.test", "CallerReference": "1", "VPC": vpc}),
            "ec2:DescribeVpcs",
        ),
        ("route53", "ListHostedZonesByVPC", vpc, "ec2:DescribeVpcs"),
        ("cloudfront", "CreateDistribution", logged(), "s3:GetBucketAcl"),
        ("cloudfront", "CreateDistribution", logged(), "s3:PutBucketAcl"),
        ("cloudfront", "UpdateDistribution", with(logged(), json!({"Id": "E1"})), "s3:PutBucketAcl"),
        ("servicediscovery", "CreatePrivateDnsNamespace", namespace.clone(), "route53:CreateHostedZone"),
        ("servicediscovery", "CreatePrivateDnsNamespace", namespace, "ec2:DescribeVpcs"),
        ("cloudformation", "DescribeStacks", json!({}), "cloudformation:ListStacks"),
        (
            "cloudformation",
            "CreateStack",
            json!({"StackName": "walk", "TemplateURL": "http://s3.eu-west-3.amazonaws.com/walk-bucket/template"}),
            "s3:GetObject",
        ),
    ]
}

#[tokio::test]
async fn denies_a_request_without_each_of_its_secondary_actions() {
    let harness = Harness::open().await;
    let user = harness.user("walk", json!([]));
    seed(&harness).await;
    let mut faults = Vec::new();
    for (service, name, input, action) in objects().into_iter().chain(resources()).chain(databases()) {
        harness.set_policy("walk", all_but(action));
        let answer = send(&harness, &user, service, name, &input).await;
        // CloudFormation reports a denied template in its own message; an answer to HEAD has no message.
        let named = answer.body.contains(&format!("not authorized to perform: {action} "));
        let head = name == "HeadObject" && answer.status == 403;
        if !head && !(named && (answer.is_denied() || answer.body.contains("AccessDenied"))) {
            faults.push(format!("{service}:{name} without {action}: {answer:?}"));
        }
    }
    assert!(faults.is_empty(), "{}:\n{}", faults.len(), faults.join("\n"));
}

/// The action for a version replaces the operation's own, so it is sufficient alone.
#[tokio::test]
async fn allows_access_to_a_version_without_permission_for_the_current_one() {
    let harness = Harness::open().await;
    let user = harness.user("walk", json!([]));
    seed(&harness).await;
    let input = json!({"Bucket": "walk-bucket", "Key": "tagged", "VersionId": "null"});
    for (name, instead) in [
        ("GetObject", "s3:GetObjectVersion"),
        ("GetObjectTagging", "s3:GetObjectVersionTagging"),
        ("DeleteObjectTagging", "s3:DeleteObjectVersionTagging"),
        ("DeleteObject", "s3:DeleteObjectVersion"),
    ] {
        harness.set_policy("walk", json!([{"Effect": "Allow", "Action": instead, "Resource": "*"}]));
        let answer = send(&harness, &user, "s3", name, &input).await;
        assert!(answer.status < 300, "{name}: {answer:?}");
    }
}

async fn seed(harness: &Harness) {
    let role = "arn:aws:iam::000000000000:role/walk";
    let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"Service": "ecs-tasks.amazonaws.com"}}]});
    harness.seed(
        "iam",
        "CreateRole",
        json!({"RoleName": "walk", "AssumeRolePolicyDocument": trust.to_string()}),
    );
    let configuration = json!({"LocationConstraint": "eu-west-3"});
    harness.seed(
        "s3",
        "CreateBucket",
        json!({"Bucket": "walk-bucket", "CreateBucketConfiguration": configuration}),
    );
    harness.seed("ecs", "CreateCluster", json!({}));
    let definition = json!({
        "family": "seeded", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
        "taskRoleArn": role, "containerDefinitions": [{"name": "a", "image": "b"}],
    });
    harness.seed("ecs", "RegisterTaskDefinition", definition);
    let root = Harness::root();
    for (key, tagging) in [("tagged", Some("a=b")), ("plain", None)] {
        let mut input = json!({"Bucket": "walk-bucket", "Key": key});
        if let Some(tagging) = tagging {
            input["Tagging"] = tagging.into();
        }
        let answer = send(harness, &root, "s3", "PutObject", &input).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

/// The members that hold tags at creation.
const TAGS: [&[&str]; 5] = [
    &["TagSpecifications", "Tags"],
    &["Tags"],
    &["tags"],
    &["CreateBucketConfiguration", "Tags"],
    &["DistributionConfigWithTags", "Tags", "Items"],
];

/// Holds for every operation that accepts tags at creation.
#[tokio::test]
async fn denies_tags_at_creation_without_permission_to_tag() {
    let harness = Harness::open().await;
    let user = harness.user("walk", all_but("*:*Tag*"));
    let (mut faults, mut count) = (Vec::new(), 0);
    for (service, name) in harness.operations() {
        let model = escale_model::service(service).unwrap();
        let operation = model.operation(name).unwrap();
        let fields = harness.cloud.entry(service, name).unwrap().input;
        let Some(path) = TAGS.iter().find(|path| reads(fields, path)) else { continue };
        if name.to_lowercase().contains("tag") && name != "CreateDistributionWithTags" {
            continue;
        }
        count += 1;
        let path: Vec<String> = path.iter().map(|step| (*step).to_owned()).collect();
        let mut with = input::with(model, operation, &path);
        fill(&mut with, &path);
        let answer = harness.call(Some(&user), service, name, with.clone()).await;
        if !answer.is_denied() || !answer.body.contains("Tag") {
            faults.push(format!("{service}:{name} with {with}: {answer:?}"));
        }
    }
    assert!(faults.is_empty(), "{} of {count}:\n{}", faults.len(), faults.join("\n"));
    assert!(count > 30, "{count}");
}

fn reads(fields: &'static [Field], path: &[&str]) -> bool {
    let Some((first, rest)) = path.split_first() else { return true };
    fields.iter().find(|f| f.name == *first).is_some_and(|f| f.open || reads((f.below)(), rest))
}

/// Fills an empty tag, for models that require neither key nor value.
fn fill(input: &mut Value, path: &[String]) {
    let last = path.iter().try_fold(input, |at, step| {
        let at = if at.is_array() { at.get_mut(0)? } else { at };
        at.get_mut(step)
    });
    if let Some(Value::Array(tags)) = last {
        for tag in tags.iter_mut().filter_map(Value::as_object_mut) {
            if tag.is_empty() {
                // ECS has lower-case names, and requires neither.
                let (key, value) = if path == ["tags"] { ("key", "value") } else { ("Key", "Value") };
                tag.extend([(key.to_owned(), "a".into()), (value.to_owned(), "b".into())]);
            }
        }
    }
}
