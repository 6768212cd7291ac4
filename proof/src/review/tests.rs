use super::reach::{self, Computed};
use super::{Pillar, review, rules};
use crate::{
    graph::Architecture,
    samples,
    survey::{Given, Survey},
};
use std::collections::{BTreeMap, BTreeSet};

fn of_text(text: &str) -> Vec<(String, String, usize)> {
    let survey = Survey::of_template(text, &Given::new(), &samples::setting("us-east-1")).unwrap();
    let found = review(&survey, &Architecture::of(&survey));
    found.into_iter().map(|f| (f.rule.to_owned(), f.resource, f.line)).collect()
}

fn has(found: &[(String, String, usize)], rule: &str, resource: &str) -> bool {
    found.iter().any(|(r, id, _)| r == rule && id == resource)
}

#[test]
fn rules_have_ids_of_their_own_and_controls_have_pages() {
    let mut seen = BTreeSet::new();
    for rule in rules() {
        assert!(seen.insert(rule.id), "{}", rule.id);
        assert!(rule.title.ends_with(|c: char| c != '.') && rule.fix.ends_with('.'), "{}", rule.id);
        if let Some(control) = rule.control {
            assert!(control.page.starts_with("https://docs.aws.amazon.com/"), "{}", rule.id);
        }
    }
    assert!(seen.len() >= 25, "{}", seen.len());
    for pillar in [Pillar::Security, Pillar::Reliability, Pillar::Operations, Pillar::Cost] {
        assert!(rules().any(|r| r.pillar == pillar));
    }
}

#[test]
fn the_shop_breaks_few_rules() {
    let found = of_text(samples::text("shop"));
    let ids: BTreeSet<&str> = found.iter().map(|(rule, ..)| rule.as_str()).collect();
    // In `local`: plain HTTP, no deletion protection, no alarms, x86.
    assert_eq!(ids, BTreeSet::from(["OPS03", "REL03", "SEC07", "SEC08", "SUS01"]), "{found:#?}");
}

/// Breaks each rule.
const BROKEN: &str = r#"Resources:
  Net: { Type: AWS::EC2::VPC, Properties: { CidrBlock: 10.0.0.0/16 } }
  One: { Type: AWS::EC2::Subnet, Properties: { VpcId: !Ref Net, CidrBlock: 10.0.0.0/24, AvailabilityZone: us-east-1a } }
  Two: { Type: AWS::EC2::Subnet, Properties: { VpcId: !Ref Net, CidrBlock: 10.0.1.0/24, AvailabilityZone: us-east-1b } }
  Igw: { Type: AWS::EC2::InternetGateway }
  Table: { Type: AWS::EC2::RouteTable, Properties: { VpcId: !Ref Net } }
  Out: { Type: AWS::EC2::Route, Properties: { RouteTableId: !Ref Table, DestinationCidrBlock: 0.0.0.0/0, GatewayId: !Ref Igw } }
  OfOne: { Type: AWS::EC2::SubnetRouteTableAssociation, Properties: { SubnetId: !Ref One, RouteTableId: !Ref Table } }
  Nat: { Type: AWS::EC2::NatGateway, Properties: { SubnetId: !Ref One, AllocationId: eipalloc-1 } }
  Private: { Type: AWS::EC2::RouteTable, Properties: { VpcId: !Ref Net } }
  OverNat: { Type: AWS::EC2::Route, Properties: { RouteTableId: !Ref Private, DestinationCidrBlock: 0.0.0.0/0, NatGatewayId: !Ref Nat } }
  OfTwo: { Type: AWS::EC2::SubnetRouteTableAssociation, Properties: { SubnetId: !Ref Two, RouteTableId: !Ref Private } }
  Ssh: { Type: AWS::EC2::SecurityGroup, Properties: { GroupDescription: x, VpcId: !Ref Net, SecurityGroupIngress: [{ IpProtocol: tcp, FromPort: 22, ToPort: 22, CidrIp: 0.0.0.0/0 }] } }
  Subnets: { Type: AWS::RDS::DBSubnetGroup, Properties: { DBSubnetGroupDescription: x, SubnetIds: [!Ref One, !Ref Two] } }
  Db:
    Type: AWS::RDS::DBInstance
    DeletionPolicy: Delete
    Properties:
      Engine: postgres
      DBInstanceClass: db.t4g.micro
      AllocatedStorage: "20"
      DBSubnetGroupName: !Ref Subnets
      PubliclyAccessible: true
      BackupRetentionPeriod: 1
      MasterUserPassword: hunter22
  Store: { Type: AWS::S3::Bucket, Properties: { PublicAccessBlockConfiguration: { BlockPublicAcls: false } } }
  Role: { Type: AWS::IAM::Role, Properties: { AssumeRolePolicyDocument: {}, Policies: [{ PolicyName: all, PolicyDocument: { Statement: { Effect: Allow, Action: "*", Resource: "*" } } }] } }
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties: { Cpu: "256", Memory: "512", ContainerDefinitions: [{ Name: a, Image: "a:latest", Environment: [{ Name: DB_PASSWORD, Value: x }, { Name: SECRET_ARN, Value: y }] }] }
  Web:
    Type: AWS::ECS::Service
    Properties: { TaskDefinition: !Ref Task, NetworkConfiguration: { AwsvpcConfiguration: { AssignPublicIp: ENABLED, Subnets: [!Ref One], SecurityGroups: [!Ref Ssh] } } }
  Lb: { Type: AWS::ElasticLoadBalancingV2::LoadBalancer, Properties: { Subnets: [!Ref One, !Ref Two], SecurityGroups: [!Ref Ssh] } }
  Http: { Type: AWS::ElasticLoadBalancingV2::Listener, Properties: { LoadBalancerArn: !Ref Lb, Port: 80, Protocol: HTTP, DefaultActions: [{ Type: forward }] } }
  Targets: { Type: AWS::ElasticLoadBalancingV2::TargetGroup, Properties: { Protocol: HTTP, Port: 80, VpcId: !Ref Net } }
  Cdn: { Type: AWS::CloudFront::Distribution, Properties: { DistributionConfig: { Origins: [{ Id: s, DomainName: !GetAtt Store.DomainName, S3OriginConfig: { OriginAccessIdentity: "" } }], DefaultCacheBehavior: { TargetOriginId: s, ViewerProtocolPolicy: allow-all } } } }
  Logs: { Type: AWS::Logs::LogGroup }
"#;

/// With the line of the property.
#[test]
fn each_rule_finds_its_case() {
    let found = of_text(BROKEN);
    for (rule, resource) in [
        ("SEC01", "Db"),
        ("SEC02", "Db"),
        ("SEC03", "Db"),
        ("SEC04", "Ssh"),
        ("SEC05", "Store"),
        ("SEC06", "Web"),
        ("SEC07", "Http"),
        ("SEC08", "Cdn"),
        ("SEC09", "Cdn"),
        ("SEC10", "Task"),
        ("SEC11", "Role"),
        ("SEC12", "Db"),
        ("SEC13", "Lb"),
        ("REL01", "Db"),
        ("REL02", "Db"),
        ("REL03", "Db"),
        ("REL04", "Db"),
        ("REL05", "Db"),
        ("REL06", "Web"),
        ("REL07", "Web"),
        ("REL08", "Two"),
        ("REL09", "Web"),
        ("REL10", "Store"),
        ("REL11", "Targets"),
        ("OPS01", "Task"),
        ("OPS02", "Logs"),
        ("OPS03", "Lb"),
        ("OPS04", "Task"),
        ("PERF01", "Cdn"),
        ("COST01", "Net"),
        ("COST02", "Db"),
        ("SUS01", "Task"),
    ] {
        assert!(has(&found, rule, resource), "{rule} does not find {resource}: {found:#?}");
    }
    let all: BTreeSet<&str> = rules().map(|r| r.id).collect();
    let covered: BTreeSet<&str> = found.iter().map(|(rule, ..)| rule.as_str()).collect();
    assert_eq!(all, covered, "each rule has a case");
    let public = found.iter().find(|(rule, ..)| rule == "SEC01").unwrap();
    assert_eq!(public.2, BROKEN.lines().position(|l| l.contains("PubliclyAccessible")).unwrap() + 1);
}

#[test]
fn computes_which_ports_answer() {
    let reach = |name: &str| {
        let computed = reach::computed(&Architecture::of(&samples::survey(name)));
        computed
            .into_iter()
            .map(|c| (c.resource, c.ports.into_iter().collect::<Vec<_>>()))
            .collect::<Vec<_>>()
    };
    let of = |list: &[(&str, &[u16])]| -> Vec<(String, Vec<u16>)> {
        list.iter().map(|(id, ports)| ((*id).to_owned(), ports.to_vec())).collect()
    };
    assert_eq!(reach("shop"), of(&[("LoadBalancer", &[80]), ("NatGateway1", &[]), ("NatGateway2", &[])]));
    // The tasks have public addresses, but only the load balancer may open connections to them.
    assert_eq!(reach("minimal"), of(&[("Balancer", &[80]), ("Web", &[])]));
    assert_eq!(
        reach("two-networks"),
        of(&[("EastFront", &[8080])]).into_iter().map(|(_, p)| ("Front".to_owned(), p)).collect::<Vec<_>>()
    );
}

#[test]
fn a_difference_between_the_graph_and_the_probe_is_a_finding() {
    let computed = [Computed {
        resource: "Lb".into(),
        line: 1,
        addresses: vec!["198.18.1.1".into()],
        ports: BTreeSet::from([80]),
        is_open_ended: false,
    }];
    let probed = |ports: &[u16]| BTreeMap::from([("198.18.1.1".to_owned(), ports.iter().copied().collect())]);
    assert!(reach::compare(&computed, &probed(&[80])).is_empty());
    assert_eq!(reach::compare(&computed, &probed(&[])).len(), 1);
    let found = reach::compare(&computed, &probed(&[22, 80]));
    assert_eq!(found.iter().map(|d| (d.port, d.answered)).collect::<Vec<_>>(), [(22, true)]);
    let foreign = BTreeMap::from([("198.18.9.9".to_owned(), BTreeSet::from([8080]))]);
    assert_eq!(reach::compare(&computed, &foreign)[0].resource, "no resource of the stack");
}

/// A security group opens the ports 7000 to 9000; the entries of the subnet's ACL decide about each.
fn reach_with_entries(entries: &str) -> Vec<u16> {
    let text = format!(
        r#"Resources:
  Net: {{ Type: AWS::EC2::VPC, Properties: {{ CidrBlock: 10.0.0.0/16 }} }}
  One: {{ Type: AWS::EC2::Subnet, Properties: {{ VpcId: !Ref Net, CidrBlock: 10.0.0.0/24 }} }}
  Igw: {{ Type: AWS::EC2::InternetGateway }}
  Table: {{ Type: AWS::EC2::RouteTable, Properties: {{ VpcId: !Ref Net }} }}
  Out: {{ Type: AWS::EC2::Route, Properties: {{ RouteTableId: !Ref Table, DestinationCidrBlock: 0.0.0.0/0, GatewayId: !Ref Igw }} }}
  OfOne: {{ Type: AWS::EC2::SubnetRouteTableAssociation, Properties: {{ SubnetId: !Ref One, RouteTableId: !Ref Table }} }}
  Acl: {{ Type: AWS::EC2::NetworkAcl, Properties: {{ VpcId: !Ref Net }} }}
  Group: {{ Type: AWS::EC2::SecurityGroup, Properties: {{ GroupDescription: x, VpcId: !Ref Net, SecurityGroupIngress: [{{ IpProtocol: tcp, FromPort: 7000, ToPort: 9000, CidrIp: 0.0.0.0/0 }}] }} }}
  Lb: {{ Type: AWS::ElasticLoadBalancingV2::LoadBalancer, Properties: {{ Type: network, Subnets: [!Ref One], SecurityGroups: [!Ref Group] }} }}
  A: {{ Type: AWS::ElasticLoadBalancingV2::Listener, Properties: {{ LoadBalancerArn: !Ref Lb, Port: 7000, Protocol: TCP }} }}
  B: {{ Type: AWS::ElasticLoadBalancingV2::Listener, Properties: {{ LoadBalancerArn: !Ref Lb, Port: 9000, Protocol: TCP }} }}
{entries}"#
    );
    let survey = Survey::of_template(&text, &Given::new(), &samples::setting("us-east-1")).unwrap();
    let computed = reach::computed(&Architecture::of(&survey));
    computed.iter().find(|c| c.resource == "Lb").expect("the load balancer").ports.iter().copied().collect()
}

#[test]
fn a_network_acl_closes_what_a_group_opens() {
    let entry = |name: &str, acl: &str, number: u16, rest: &str| {
        format!(
            "  {name}: {{ Type: AWS::EC2::NetworkAclEntry, Properties: {{ NetworkAclId: {acl}, RuleNumber: {number}, {rest} }} }}\n"
        )
    };
    let used = "  Use: { Type: AWS::EC2::SubnetNetworkAclAssociation, Properties: { SubnetId: !Ref One, NetworkAclId: !Ref Acl } }\n";
    let all = "Protocol: -1, RuleAction: allow, CidrBlock: 0.0.0.0/0";
    let open_in = entry("In", "!Ref Acl", 100, all);
    let open_out = entry("Out1", "!Ref Acl", 100, &format!("{all}, Egress: true"));
    let deny = |acl: &str, number: u16, network: &str| {
        let rest = format!(
            "Protocol: 6, RuleAction: deny, CidrBlock: {network}, PortRange: {{ From: 9000, To: 9000 }}"
        );
        entry("Deny", acl, number, &rest)
    };
    let answers = |first: u16, last: u16| {
        let rest = format!(
            "Protocol: 6, RuleAction: allow, Egress: true, CidrBlock: 0.0.0.0/0, PortRange: {{ From: {first}, To: {last} }}"
        );
        entry("Answers", "!Ref Acl", 100, &rest)
    };
    let own = "!GetAtt Net.DefaultNetworkAcl";
    for (entries, expected, why) in [
        (String::new(), &[7000, 9000][..], "the VPC's own ACL allows everything"),
        (used.to_owned(), &[], "an ACL without entries denies everything"),
        (format!("{used}{open_in}{open_out}"), &[7000, 9000], "both directions are open"),
        (format!("{used}{open_in}"), &[], "the answers do not pass"),
        (format!("{used}{open_in}{}", answers(1024, 65535)), &[7000, 9000], "the answers' ports are open"),
        (format!("{used}{open_in}{}", answers(80, 1023)), &[], "no client uses these ports"),
        (format!("{used}{open_in}{open_out}{}", deny("!Ref Acl", 90, "0.0.0.0/0")), &[7000], "denied first"),
        (
            format!("{used}{open_in}{open_out}{}", deny("!Ref Acl", 110, "0.0.0.0/0")),
            &[7000, 9000],
            "allowed first",
        ),
        (
            format!("{used}{open_in}{open_out}{}", deny("!Ref Acl", 90, "203.0.113.0/24")),
            &[7000, 9000],
            "denied to some",
        ),
        (deny(own, 90, "0.0.0.0/0"), &[7000], "an entry of the VPC's own ACL"),
        (deny("!Ref Acl", 90, "0.0.0.0/0"), &[7000, 9000], "no subnet has this ACL"),
    ] {
        assert_eq!(reach_with_entries(&entries), expected, "{why}");
    }
}
