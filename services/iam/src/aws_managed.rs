//! The AWS managed policies that applications of this architecture use.
//!
//! Source: <https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html>

use escale_tables::iam::PolicyArn;

/// The path and name after `arn:aws:iam::aws:policy`, and the document. Parts that concern only services which Escale does not
/// have are left out.
const POLICIES: &[(&str, &str)] = &[
    (
        "/AdministratorAccess",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#,
    ),
    (
        "/PowerUserAccess",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","NotAction":["iam:*","organizations:*","account:*"],"Resource":"*"},{"Effect":"Allow","Action":["iam:CreateServiceLinkedRole","iam:DeleteServiceLinkedRole","iam:ListRoles"],"Resource":"*"}]}"#,
    ),
    (
        "/ReadOnlyAccess",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["*:Describe*","*:Get*","*:List*","*:BatchGet*"],"Resource":"*"}]}"#,
    ),
    (
        "/IAMFullAccess",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:*"],"Resource":"*"}]}"#,
    ),
    (
        "/IAMReadOnlyAccess",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:Get*","iam:List*","iam:SimulateCustomPolicy","iam:SimulatePrincipalPolicy"],"Resource":"*"}]}"#,
    ),
    (
        "/AmazonS3FullAccess",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*","s3-object-lambda:*"],"Resource":"*"}]}"#,
    ),
    (
        "/AmazonS3ReadOnlyAccess",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:Get*","s3:List*","s3:Describe*"],"Resource":"*"}]}"#,
    ),
    (
        "/AmazonRDSReadOnlyAccess",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["rds:Describe*","rds:ListTagsForResource","ec2:DescribeAvailabilityZones","ec2:DescribeSecurityGroups","ec2:DescribeSubnets","ec2:DescribeVpcAttribute","ec2:DescribeVpcs","logs:DescribeLogStreams","logs:GetLogEvents"],"Resource":"*"}]}"#,
    ),
    (
        "/AmazonEC2ContainerRegistryReadOnly",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecr:GetAuthorizationToken","ecr:BatchCheckLayerAvailability","ecr:GetDownloadUrlForLayer","ecr:GetRepositoryPolicy","ecr:DescribeRepositories","ecr:ListImages","ecr:DescribeImages","ecr:BatchGetImage","ecr:GetLifecyclePolicy","ecr:GetLifecyclePolicyPreview","ecr:ListTagsForResource","ecr:DescribeImageScanFindings"],"Resource":"*"}]}"#,
    ),
    (
        "/AmazonEC2ContainerRegistryPowerUser",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecr:GetAuthorizationToken","ecr:BatchCheckLayerAvailability","ecr:GetDownloadUrlForLayer","ecr:GetRepositoryPolicy","ecr:DescribeRepositories","ecr:ListImages","ecr:DescribeImages","ecr:BatchGetImage","ecr:GetLifecyclePolicy","ecr:GetLifecyclePolicyPreview","ecr:ListTagsForResource","ecr:DescribeImageScanFindings","ecr:InitiateLayerUpload","ecr:UploadLayerPart","ecr:CompleteLayerUpload","ecr:PutImage"],"Resource":"*"}]}"#,
    ),
    (
        "/AmazonSSMReadOnlyAccess",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ssm:Describe*","ssm:Get*","ssm:List*"],"Resource":"*"}]}"#,
    ),
    (
        "/SecretsManagerReadWrite",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["secretsmanager:*","cloudformation:CreateChangeSet","cloudformation:DescribeChangeSet","cloudformation:DescribeStackResource","cloudformation:DescribeStacks","cloudformation:ExecuteChangeSet","ec2:DescribeSecurityGroups","ec2:DescribeSubnets","ec2:DescribeVpcs","kms:DescribeKey","kms:ListAliases","kms:ListKeys","rds:DescribeDBClusters","rds:DescribeDBInstances","tag:GetResources"],"Resource":"*"}]}"#,
    ),
    (
        "/CloudWatchLogsFullAccess",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["logs:*","cloudwatch:GenerateQuery"],"Resource":"*"}]}"#,
    ),
    (
        "/CloudWatchLogsReadOnlyAccess",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["logs:Describe*","logs:Get*","logs:List*","logs:StartQuery","logs:StopQuery","logs:TestMetricFilter","logs:FilterLogEvents","logs:StartLiveTail","logs:StopLiveTail"],"Resource":"*"}]}"#,
    ),
    (
        "/service-role/AmazonECSTaskExecutionRolePolicy",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecr:GetAuthorizationToken","ecr:BatchCheckLayerAvailability","ecr:GetDownloadUrlForLayer","ecr:BatchGetImage","logs:CreateLogStream","logs:PutLogEvents"],"Resource":"*"}]}"#,
    ),
    (
        "/service-role/AmazonRDSEnhancedMonitoringRole",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["logs:CreateLogGroup","logs:PutRetentionPolicy","logs:CreateLogStream","logs:PutLogEvents","logs:DescribeLogStreams","logs:GetLogEvents"],"Resource":"arn:aws:logs:*:*:log-group:RDS*"}]}"#,
    ),
];

/// The prefix of the ARNs of AWS managed policies.
pub(crate) const PREFIX: &str = "arn:aws:iam::aws:policy";

/// An AWS managed policy.
#[derive(Clone, Copy)]
pub(crate) struct AwsManaged {
    path_and_name: &'static str,
    pub document: &'static str,
}

impl AwsManaged {
    pub(crate) fn arn(self) -> PolicyArn {
        PolicyArn(format!("{PREFIX}{}", self.path_and_name))
    }

    pub(crate) fn path(self) -> &'static str {
        self.path_and_name.rfind('/').map_or("/", |at| &self.path_and_name[..=at])
    }

    pub(crate) fn name(self) -> &'static str {
        self.path_and_name.rsplit('/').next().unwrap_or_default()
    }
}

pub(crate) fn all() -> impl Iterator<Item = AwsManaged> {
    POLICIES.iter().map(|(path_and_name, document)| AwsManaged { path_and_name, document })
}

/// The AWS managed policy with this ARN.
pub(crate) fn find(arn: &PolicyArn) -> Option<AwsManaged> {
    let path_and_name = arn.strip_prefix(PREFIX)?;
    all().find(|p| p.path_and_name == path_and_name)
}

#[cfg(test)]
mod tests {
    use escale_policy::{Document, Kind};

    #[test]
    fn all_policies_can_be_parsed_and_found() {
        for policy in super::all() {
            Document::parse(policy.document, Kind::Identity).unwrap();
            assert_eq!(super::find(&policy.arn()).unwrap().arn(), policy.arn());
            assert_eq!(policy.arn(), format!("{}{}{}", super::PREFIX, policy.path(), policy.name()));
        }
    }
}
