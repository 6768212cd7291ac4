//! AWS's own managed policies, as far as this architecture names them.

/// The document of an AWS managed policy, by its ARN.
pub(crate) fn aws_managed(arn: &str) -> Option<&'static str> {
    Some(match arn {
        "arn:aws:iam::aws:policy/AdministratorAccess" => {
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#
        }
        "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy" => {
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecr:GetAuthorizationToken","ecr:BatchCheckLayerAvailability","ecr:GetDownloadUrlForLayer","ecr:BatchGetImage","logs:CreateLogStream","logs:PutLogEvents"],"Resource":"*"}]}"#
        }
        "arn:aws:iam::aws:policy/ReadOnlyAccess" => {
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["*:Describe*","*:Get*","*:List*","*:BatchGet*"],"Resource":"*"}]}"#
        }
        "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole" => {
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["logs:CreateLogGroup","logs:PutRetentionPolicy","logs:CreateLogStream","logs:PutLogEvents","logs:DescribeLogStreams","logs:GetLogEvents"],"Resource":"arn:aws:logs:*:*:log-group:RDS*"}]}"#
        }
        _ => return None,
    })
}
