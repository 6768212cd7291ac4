use super::{Bill, HOURS, Usage};
use crate::{
    graph::Architecture,
    samples,
    survey::{Given, Survey},
};

fn bill(name: &str, region: &str, usage: Usage) -> Bill {
    let survey = Survey::of_template(samples::text(name), &Given::new(), &samples::setting(region)).unwrap();
    Bill::of(&survey, &Architecture::of(&survey), usage)
}

fn line<'a>(bill: &'a Bill, resource: &str, item: &str) -> &'a super::Line {
    bill.lines.iter().find(|l| l.resource == resource && l.item == item).expect(item)
}

/// The arithmetic of docs/cost.md, by hand.
#[test]
fn the_bill_of_the_shop_is_that_of_the_documentation() {
    let bill = bill("shop", "us-east-1", Usage::default());
    let usd = |resource: &str, item: &str| {
        line(&bill, resource, item).monthly_usd.map(|usd| (usd * 100.0).round() / 100.0)
    };
    assert_eq!(usd("NatGateway1", "nat.hour"), Some(32.85), "730 h x 0.045");
    assert_eq!(usd("NatGateway1", "nat.gb"), Some(0.22), "5 GB x 0.045 = 0.225");
    assert_eq!(usd("LoadBalancer", "alb.hour"), Some(16.43), "730 h x 0.0225");
    assert_eq!(usd("LoadBalancer", "alb.lcu"), Some(0.8), "100 GB are 100 LCU-hours x 0.008");
    assert_eq!(usd("LoadBalancer", "ipv4.hour"), Some(7.3), "2 x 730 h x 0.005");
    assert_eq!(usd("BackendService", "fargate.vcpu"), Some(14.78), "2 x 0.25 vCPU x 730 h x 0.04048");
    assert_eq!(usd("BackendService", "fargate.gb"), Some(3.24), "2 x 0.5 GB x 730 h x 0.004445");
    assert_eq!(usd("DbInstance", "rds.postgres.db.t4g.small"), Some(46.72), "2 x 730 h x 0.032");
    assert_eq!(usd("DbInstance", "rds.gp3"), Some(4.6), "2 x 20 GB x 0.115");
    assert_eq!(usd("Distribution", "cloudfront.us.gb"), Some(8.5), "100 GB x 0.085");
    assert_eq!(usd("Zone", "route53.zone"), Some(0.5));
    let sum: f64 = bill.lines.iter().filter_map(|l| l.monthly_usd).sum();
    assert!((bill.total_usd - sum).abs() < 1e-9);
    assert_eq!(usd("DbInstance", "secret"), Some(0.4));
    assert!(bill.unknown.is_empty(), "{:?}", bill.unknown);
    assert!(bill.not_priced.is_empty(), "{:?}", bill.not_priced);
}

#[test]
fn an_item_without_a_source_is_unknown_and_not_in_the_total() {
    let bill = bill("shop", "eu-west-3", Usage::default());
    assert_eq!(line(&bill, "BackendService", "fargate.vcpu").monthly_usd, None);
    assert!(bill.unknown.iter().any(|u| u.contains("fargate.vcpu")), "{:?}", bill.unknown);
    let unknown = self::bill("shop", "ap-south-1", Usage::default());
    assert!(unknown.total_usd < bill.total_usd, "only global services have a price there");
}

#[test]
fn usage_and_redundancy_change_the_bill() {
    let bill = bill("shop", "us-east-1", Usage::default());
    let ten = self::bill("shop", "us-east-1", Usage::default().times(10.0));
    assert!(ten.total_usd > bill.total_usd + 8.5 * 9.0);
    let nat = bill.redundancies.iter().find(|r| r.resource == "NatGateway2").unwrap();
    assert!((nat.monthly_usd.unwrap() - HOURS * 0.05).abs() < 1e-9);
    let standby = bill.redundancies.iter().find(|r| r.resource == "DbInstance").unwrap();
    assert!((standby.monthly_usd.unwrap() - (HOURS * 0.032 + 20.0 * 0.115)).abs() < 1e-9);
    assert!(
        bill.variants
            .iter()
            .any(|v| v.what == "one NAT gateway instead of 2" && v.saves_usd == nat.monthly_usd)
    );
    assert!(self::bill("bucket", "us-east-1", Usage::default()).redundancies.is_empty());
}

#[test]
fn the_bill_of_a_service_in_public_subnets_has_its_addresses_and_no_nat() {
    let bill = bill("minimal", "us-east-1", Usage::default());
    assert!(bill.lines.iter().all(|l| !l.item.starts_with("nat.")));
    assert_eq!(line(&bill, "Web", "ipv4.hour").quantity, 3.0 * HOURS);
    assert_eq!(line(&bill, "", "transfer.out").quantity, 100.0);
}

/// A zone that a parameter names, and images of other registries, are not part of the template's price.
#[test]
fn what_exists_without_the_template_is_not_billed() {
    let of = |image: &str| {
        let text = format!(
            r#"Resources:
  Site: {{ Type: AWS::CloudFront::Distribution, Properties: {{ DistributionConfig: {{}} }} }}
  Record:
    Type: AWS::Route53::RecordSet
    Properties: {{ HostedZoneId: Z1, Name: a.example, Type: A, AliasTarget: {{ DNSName: !GetAtt Site.DomainName }} }}
  Task: {{ Type: AWS::ECS::TaskDefinition, Properties: {{ ContainerDefinitions: [{{ Name: a, Image: "{image}" }}] }} }}
  Attachment: {{ Type: AWS::SecretsManager::SecretTargetAttachment, Properties: {{}} }}
"#
        );
        let survey = Survey::of_template(&text, &Given::new(), &samples::setting("us-east-1")).unwrap();
        Bill::of(&survey, &Architecture::of(&survey), Usage::default())
    };
    let items = |bill: &Bill| bill.lines.iter().map(|l| l.item.clone()).collect::<Vec<_>>();
    let foreign = of("nginx:1.27");
    assert_eq!(items(&foreign), ["cloudfront.us.gb", "cloudfront.us.https"]);
    assert!(foreign.not_priced.is_empty(), "{:?}", foreign.not_priced);
    for (image, is_billed) in [
        ("public.ecr.aws/nginx/nginx:1.27", false),
        ("ghcr.io/a/b@sha256:1", false),
        ("123456789012.dkr.ecr.us-east-1.amazonaws.com/web:1", true),
        ("shop/web:1", true),
    ] {
        assert_eq!(items(&of(image)).contains(&"ecr.gb".to_owned()), is_billed, "{image}");
    }
}

#[test]
fn each_item_of_the_bill_has_french_words() {
    let mut items = std::collections::BTreeSet::new();
    for (name, _) in samples::ALL {
        for line in bill(name, "us-east-1", Usage::default()).lines {
            // The same word in both languages.
            let is_same = line.what == "secret";
            assert!(
                !line.french.is_empty() && (is_same || line.french != line.what),
                "{name}: {}",
                line.what
            );
            items.insert(line.item);
        }
    }
    assert!(items.len() > 15, "{items:?}");
}
