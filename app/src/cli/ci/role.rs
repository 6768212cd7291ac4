//! The role that a workflow on GitHub assumes with its OpenID Connect token, as a CloudFormation template.
//!
//! Sources: <https://docs.github.com/en/actions/security-for-github-actions/security-hardening-your-deployments/configuring-openid-connect-in-amazon-web-services>,
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create_for-idp_oidc.html#idp_oidc_Create_GitHub>

use anyhow::{Result, bail};
use escale_blueprint::{Manifest, template};
use std::collections::BTreeSet;

pub(super) struct Role<'a> {
    /// Of the environment that is deployed.
    pub(super) manifest: &'a Manifest,
    pub(super) repository: &'a str,
    pub(super) branch: &'a str,
}

pub(super) fn role_name(manifest: &Manifest) -> String {
    // Not below the name of the stack: the role must not be able to change itself.
    format!("github-deploy-{}-{}", manifest.app, manifest.environment.name)
}

pub(super) fn stack_name(manifest: &Manifest) -> String {
    format!("{}-{}-github", manifest.app, manifest.environment.name)
}

impl Role<'_> {
    pub(super) fn name(&self) -> String {
        role_name(self.manifest)
    }

    pub(super) fn template(&self) -> Result<String> {
        let (app, environment) = (&self.manifest.app, &self.manifest.environment.name);
        let (repository, branch) = (self.repository, self.branch);
        let name = self.name();
        Ok(format!(
            r#"AWSTemplateFormatVersion: "2010-09-09"
Description: "The role with which {repository}, branch {branch}, deploys {app} ({environment})"
Parameters:
  OidcProviderArn:
    Description: "The account's identity provider of GitHub, if it has one: an account can have only one. Empty creates it"
    Type: String
    Default: ""
Conditions:
  CreatesProvider: !Equals [!Ref OidcProviderArn, ""]
Resources:
  GithubProvider:
    Type: AWS::IAM::OIDCProvider
    Condition: CreatesProvider
    DeletionPolicy: Retain
    UpdateReplacePolicy: Retain
    Properties:
      Url: https://token.actions.githubusercontent.com
      ClientIdList: [sts.amazonaws.com]
  DeployRole:
    Type: AWS::IAM::Role
    Properties:
      RoleName: {name}
      MaxSessionDuration: 3600
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Principal:
              Federated: !If [CreatesProvider, !Ref GithubProvider, !Ref OidcProviderArn]
            Action: sts:AssumeRoleWithWebIdentity
            Condition:
              StringEquals:
                token.actions.githubusercontent.com:aud: sts.amazonaws.com
                token.actions.githubusercontent.com:sub: "repo:{repository}:ref:refs/heads/{branch}"
      Policies:
        - PolicyName: deploy
          PolicyDocument:
            Version: "2012-10-17"
            Statement:
{}Outputs:
  RoleArn:
    Value: !GetAtt DeployRole.Arn
"#,
            self.statements()?
        ))
    }

    /// What the deployment of this template needs. Names in the account begin with those of the application's stacks; services whose ids do
    /// not have a name's prefix are allowed as a whole, and only if the template has their resources.
    fn statements(&self) -> Result<String> {
        let app = &self.manifest.app;
        let (stack, registry) = (self.manifest.stack_name(), self.manifest.registry_stack_name());
        let mut text = statement(
            &["cloudformation:*"],
            &[
                format!(
                    "!Sub \"arn:${{AWS::Partition}}:cloudformation:*:${{AWS::AccountId}}:stack/{stack}/*\""
                ),
                format!(
                    "!Sub \"arn:${{AWS::Partition}}:cloudformation:*:${{AWS::AccountId}}:stack/{registry}/*\""
                ),
            ],
        );
        let everywhere = "\"*\"".to_owned();
        let mut whole: BTreeSet<String> = [
            "cloudformation:ValidateTemplate",
            "cloudformation:GetTemplateSummary",
            "ecr:GetAuthorizationToken",
        ]
        .map(str::to_owned)
        .into();
        for service in self.services()? {
            match service.as_str() {
                "IAM" => text.push_str(&iam(&stack)),
                "S3" => {
                    let own = ["", "/*"]
                        .map(|rest| format!("!Sub \"arn:${{AWS::Partition}}:s3:::{stack}-*{rest}\""));
                    text.push_str(&statement(&["s3:*"], &own));
                }
                "SecretsManager" => {
                    let own = [format!("{stack}*"), format!("{app}/*"), "rds!*".to_owned()].map(|name| {
                        format!("!Sub \"arn:${{AWS::Partition}}:secretsmanager:*:${{AWS::AccountId}}:secret:{name}\"")
                    });
                    text.push_str(&statement(&["secretsmanager:*"], &own));
                    whole.insert("secretsmanager:GetRandomPassword".to_owned());
                }
                other => {
                    whole.extend(prefixes(other)?.iter().map(|prefix| format!("{prefix}:*")));
                }
            }
        }
        let own = format!("!Sub \"arn:${{AWS::Partition}}:ecr:*:${{AWS::AccountId}}:repository/{app}/*\"");
        text.push_str(&statement(&["ecr:*"], &[own]));
        let whole: Vec<&str> = whole.iter().map(String::as_str).collect();
        text.push_str(&statement(&whole, &[everywhere]));
        Ok(text)
    }

    /// The services of the template's resources: `EC2` of `AWS::EC2::VPC`.
    fn services(&self) -> Result<BTreeSet<String>> {
        let made = template(self.manifest).map_err(|p| anyhow::anyhow!("{}", p[0]))?;
        let kinds = made.resources().values().filter_map(|r| r["Type"].as_str());
        let mut found: BTreeSet<String> =
            kinds.filter_map(|kind| kind.split("::").nth(1)).map(str::to_owned).collect();
        if !self.manifest.databases.is_empty() {
            // RDS keeps the master password there in the name of the caller.
            found.insert("SecretsManager".to_owned());
        }
        if self.manifest.domain.is_some() {
            // The domain's certificate is requested before the stack is created.
            found.insert("CertificateManager".to_owned());
        }
        Ok(found)
    }
}

/// The names of a CloudFormation service's actions in policies.
/// Source: <https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>
fn prefixes(service: &str) -> Result<&'static [&'static str]> {
    Ok(match service {
        "ApplicationAutoScaling" => &["application-autoscaling"],
        "CertificateManager" => &["acm"],
        "CloudFront" => &["cloudfront"],
        "CloudWatch" => &["cloudwatch"],
        "EC2" => &["ec2"],
        "ECS" => &["ecs"],
        "ElasticLoadBalancingV2" => &["elasticloadbalancing"],
        "Logs" => &["logs"],
        "RDS" => &["rds"],
        "Route53" => &["route53"],
        "ServiceDiscovery" => &["servicediscovery"],
        "SNS" => &["sns"],
        "SSM" => &["ssm"],
        other => bail!(
            "the permissions for resources of AWS::{other} are not known, so the role would not be able to create them"
        ),
    })
}

/// The deployment creates the roles of tasks, below the name of its stack, and passes them to ECS only.
fn iam(stack: &str) -> String {
    let roles = format!("!Sub \"arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:role/{stack}-*\"");
    let mut text = statement(
        &[
            "iam:AttachRolePolicy",
            "iam:CreateRole",
            "iam:DeleteRole",
            "iam:DeleteRolePolicy",
            "iam:DetachRolePolicy",
            "iam:GetRole",
            "iam:GetRolePolicy",
            "iam:ListAttachedRolePolicies",
            "iam:ListRolePolicies",
            "iam:ListRoleTags",
            "iam:PutRolePolicy",
            "iam:TagRole",
            "iam:UntagRole",
            "iam:UpdateAssumeRolePolicy",
            "iam:UpdateRole",
        ],
        std::slice::from_ref(&roles),
    );
    text.push_str(&with_condition(
        "iam:PassRole",
        &roles,
        "iam:PassedToService",
        "[ecs-tasks.amazonaws.com, ecs.amazonaws.com]",
    ));
    // The first use of a service in an account creates the service's own role.
    text.push_str(&with_condition(
        "iam:CreateServiceLinkedRole",
        "\"*\"",
        "iam:AWSServiceName",
        "[ecs.amazonaws.com, elasticloadbalancing.amazonaws.com, rds.amazonaws.com, ecs.application-autoscaling.amazonaws.com]",
    ));
    text
}

fn statement(actions: &[&str], resources: &[String]) -> String {
    let list = |items: &mut dyn Iterator<Item = String>| {
        items.map(|item| format!("                  - {item}\n")).collect::<String>()
    };
    let (actions, resources) = (
        list(&mut actions.iter().map(|action| format!("\"{action}\""))),
        list(&mut resources.iter().cloned()),
    );
    format!(
        "              - Effect: Allow\n                Action:\n{actions}                Resource:\n{resources}"
    )
}

fn with_condition(action: &str, resource: &str, key: &str, values: &str) -> String {
    let allowed = statement(&[action], &[resource.to_owned()]);
    format!(
        "{allowed}                Condition:\n                  StringEquals:\n                    {key}: {values}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template_of(text: &str) -> String {
        let manifest = Manifest::parse(text, "escale.yaml").and_then(|m| m.for_environment("prod")).unwrap();
        Role { manifest: &manifest, repository: "owner/web", branch: "main" }.template().unwrap()
    }

    const WEB: &str =
        "app: notes\nservices:\n  web: { image: nginx, port: 80, path: / }\nenvironments:\n  prod: {}\n";

    #[test]
    fn only_one_branch_of_one_repository_is_trusted() {
        let text = template_of(WEB);
        assert!(
            text.contains(r#"token.actions.githubusercontent.com:sub: "repo:owner/web:ref:refs/heads/main""#)
        );
        assert!(text.contains("StringEquals") && !text.contains("StringLike"));
    }

    #[test]
    fn the_role_cannot_change_itself() {
        let text = template_of(WEB);
        assert!(text.contains("RoleName: github-deploy-notes-prod\n"));
        let roles = text.lines().filter(|line| line.contains(":role/")).count();
        assert_eq!((roles, text.matches(":role/notes-prod-*").count()), (2, 2));
        assert!(!text.contains("\"iam:*\"") && !text.contains("\"*:*\""));
    }

    #[test]
    fn services_that_the_template_does_not_use_are_not_allowed() {
        let text = template_of(WEB);
        assert!(text.contains("\"ecs:*\"") && !text.contains("rds:*"));
        let with_database =
            WEB.replace("environments", "database:\n  db: { engine: postgres 16 }\nenvironments");
        assert!(template_of(&with_database).contains("\"rds:*\""));
    }
}
