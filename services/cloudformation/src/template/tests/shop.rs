//! The template of a whole application with 40 resources and all functions.

use super::*;
use expect_test::expect;

fn shop(given: &[(&str, &str)], check: impl FnOnce(&Template, &Scope<'_>)) {
    let template = parse(include_str!("shop.yaml"), Origin::Body).unwrap();
    let mut bound = template.bind(&super::given(given)).unwrap();
    bound.resolve("BaseImage", "alpine:3");
    let (pseudo, stack) = (pseudo(), FakeStack { exists: true });
    let scope = Scope::new(&template, &bound.values, &pseudo, &stack).unwrap();
    check(&template, &scope);
}

#[test]
fn evaluates_production() {
    shop(&[("ImageUri", "shop:1")], |template, scope| {
        expect![[r#"{"InEurope": true, "IsProd": true, "OneNat": false, "TwoNats": true}"#]]
            .assert_eq(&format!("{:?}", scope.conditions()));
        scope.check_rules().unwrap();
        let plan = template.plan(scope.conditions()).unwrap();
        expect![[r#"
            Vpc Gateway Logs Repository Cluster ExecutionRole Media
            Attachment PublicA PublicB AppA AppB DataA DataB PublicRoutes AppRoutesA AppRoutesB BalancerGroup BackendGroup DataGroup Targets
            PublicRoute PublicRoutesA PublicRoutesB AppAssocA AppAssocB EipA EipB BackendIn DataIn DataSubnets
            NatA NatB Balancer Database
            AppRouteA AppRouteB Listener TaskDefinition
            Service"#]].assert_eq(&plan.waves.iter().map(|wave| wave.join(" ")).collect::<Vec<_>>().join("\n"));
        expect![[r#"{"SecondNat": ("natb", None), "Url": ("http://Balancer.DNSName/", Some("shop-url"))}"#]]
            .assert_eq(&format!("{:?}", scope.outputs().unwrap()));
        let found = dynamic::find(&Value::Object(scope.properties("TaskDefinition").unwrap())).unwrap();
        expect![[
            r#"[Secret { id: "shop/db", json_key: Some("password"), version_stage: None, version_id: None }]"#
        ]]
        .assert_eq(&format!("{found:?}"));
        for logical in template.resources.keys() {
            scope.properties(logical).unwrap();
        }
        expect![[r#"Capabilities { needed: [CapabilityIam], reason: Some("The following resource(s) require capabilities: [AWS::IAM::Role]") } ["AWS::EC2::EIP", "AWS::EC2::InternetGateway", "AWS::EC2::NatGateway", "AWS::EC2::Route", "AWS::EC2::RouteTable", "AWS::EC2::SecurityGroup", "AWS::EC2::SecurityGroupIngress", "AWS::EC2::Subnet", "AWS::EC2::SubnetRouteTableAssociation", "AWS::EC2::VPC", "AWS::EC2::VPCGatewayAttachment", "AWS::ECR::Repository", "AWS::ECS::Cluster", "AWS::ECS::Service", "AWS::ECS::TaskDefinition", "AWS::ElasticLoadBalancingV2::Listener", "AWS::ElasticLoadBalancingV2::LoadBalancer", "AWS::ElasticLoadBalancingV2::TargetGroup", "AWS::IAM::Role", "AWS::Logs::LogGroup", "AWS::RDS::DBInstance", "AWS::RDS::DBSubnetGroup", "AWS::S3::Bucket"]"#]].assert_eq(&format!("{:?} {:?}", template.capabilities(), template.resource_types()));
    });
}

#[test]
fn evaluates_properties_in_production() {
    shop(&[("ImageUri", "shop:1")], |_, scope| {
        let shown =
            |logical: &str| serde_json::to_string_pretty(&scope.properties(logical).unwrap()).unwrap();
        expect![[r#"
            {
              "CidrBlock": "10.0.0.0/16",
              "EnableDnsSupport": true,
              "EnableDnsHostnames": "true",
              "Tags": [
                {
                  "Key": "Name",
                  "Value": "shop-vpc"
                }
              ]
            }"#]]
        .assert_eq(&shown("Vpc"));
        expect![[r#"
            {
              "VpcId": "vpc",
              "AvailabilityZone": "eu-west-3b",
              "CidrBlock": "10.0.1.0/24"
            }"#]]
        .assert_eq(&shown("PublicB"));
        expect![[r#"
            {
              "Family": "shop",
              "ExecutionRoleArn": "ExecutionRole.Arn",
              "ContainerDefinitions": [
                {
                  "Name": "backend",
                  "Image": "shop:1",
                  "PortMappings": [
                    {
                      "ContainerPort": "8000"
                    }
                  ],
                  "Environment": [
                    {
                      "Name": "DB_HOST",
                      "Value": "Database.Endpoint.Address"
                    },
                    {
                      "Name": "DB_PASSWORD",
                      "Value": "{{resolve:secretsmanager:shop/db:SecretString:password}}"
                    }
                  ],
                  "LogConfiguration": {
                    "LogDriver": "awslogs",
                    "Options": {
                      "awslogs-group": "logs",
                      "awslogs-stream-prefix": "backend"
                    }
                  }
                }
              ]
            }"#]]
        .assert_eq(&shown("TaskDefinition"));
        expect![[r#"
            {
              "AssumeRolePolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                  {
                    "Effect": "Allow",
                    "Principal": {
                      "Service": "ecs-tasks.amazonaws.com"
                    },
                    "Action": "sts:AssumeRole",
                    "Condition": {
                      "StringEquals": {
                        "aws:SourceAccount": "000000000000"
                      }
                    }
                  }
                ]
              },
              "ManagedPolicyArns": [
                "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
              ]
            }"#]]
        .assert_eq(&shown("ExecutionRole"));
        expect![[r#"
            {
              "Cluster": "cluster",
              "TaskDefinition": "taskdefinition",
              "DesiredCount": "2",
              "NetworkConfiguration": {
                "AwsvpcConfiguration": {
                  "Subnets": [
                    "appa",
                    "appb"
                  ],
                  "SecurityGroups": [
                    "BackendGroup.GroupId"
                  ]
                }
              },
              "LoadBalancers": [
                {
                  "ContainerName": "backend",
                  "ContainerPort": "8000",
                  "TargetGroupArn": "targets"
                }
              ]
            }"#]]
        .assert_eq(&shown("Service"));
        expect![[r#"
            {
              "BucketName": "media-000000000000-eu-west-3"
            }"#]]
        .assert_eq(&shown("Media"));
    });
}

#[test]
fn evaluates_staging() {
    shop(&[("ImageUri", "shop:1"), ("Stage", "staging")], |template, scope| {
        let plan = template.plan(scope.conditions()).unwrap();
        assert!(!plan.dependencies.contains_key("NatB") && plan.dependencies.contains_key("NatA"));
        assert_eq!(scope.properties("AppRouteB").unwrap()["NatGatewayId"], "nata");
        assert_eq!(scope.properties("Database").unwrap()["MultiAZ"], false);
        assert!(!scope.outputs().unwrap().contains_key("SecondNat"));
        assert_eq!(scope.properties("TaskDefinition").unwrap()["ContainerDefinitions"][0]["User"], "root");
    });
}

#[test]
fn rule_refuses_production_outside_europe() {
    let template = parse(include_str!("shop.yaml"), Origin::Body).unwrap();
    let bound = template.bind(&given(&[("ImageUri", "x")])).unwrap();
    let (abroad, stack) = (Pseudo { region: "us-east-1".into(), ..pseudo() }, FakeStack { exists: true });
    let scope = Scope::new(&template, &bound.values, &abroad, &stack).unwrap();
    expect!["Template validation error: Rule ProdInEurope: production stays in Europe"]
        .assert_eq(&scope.check_rules().unwrap_err().to_string());
}

/// The rule that the CDK adds to every template.
#[test]
fn checks_the_rule_of_the_cdk() {
    let text = r#"{"Parameters": {"BootstrapVersion": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/cdk/version"}},
        "Rules": {"CheckBootstrapVersion": {"Assertions": [{"AssertDescription": "CDK bootstrap stack version 6 required.",
            "Assert": {"Fn::Not": [{"Fn::Contains": [["1", "2", "3", "4", "5"], {"Ref": "BootstrapVersion"}]}]}}]}},
        "Resources": {"R": {"Type": "AWS::X::Y"}}}"#;
    let template = parse(text, Origin::Body).unwrap();
    let (pseudo, stack) = (pseudo(), FakeStack { exists: true });
    for (version, holds) in [("5", false), ("30", true)] {
        let mut bound = template.bind(&given(&[])).unwrap();
        bound.resolve("BootstrapVersion", version);
        let scope = Scope::new(&template, &bound.values, &pseudo, &stack).unwrap();
        assert_eq!(scope.check_rules().is_ok(), holds, "{version}");
    }
}

#[test]
fn json_equals_yaml() {
    let yaml = tree(include_str!("shop.yaml")).unwrap().value();
    let json = serde_json::to_string(&yaml).unwrap();
    assert_eq!(tree(&json).unwrap().value(), yaml);
    assert_eq!(parse(&json, Origin::Body).unwrap().resources.len(), 40);
}
