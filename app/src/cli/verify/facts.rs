//! Fills a [`Side`] from the APIs of the account in which a stack is deployed.

use super::{
    expect::{self, Promised},
    headers,
    visit::address,
};
use crate::cli::{
    client::{Client, is_code},
    proof::live,
    sign, up,
};
use anyhow::{Context, Result};
use bytes::Bytes;
use escale_base::{Clock, path::percent_encode};
use escale_blueprint::{Manifest, template};
use escale_network::Namespace;
use escale_proof::{
    survey::{Setting, Survey},
    verify::{Balancer, Behaviour, Database, Node, Side, Signed, TargetGroup},
};
use escale_wire::Element;
use http::Method;
use rsa::{RsaPrivateKey, pkcs1::DecodeRsaPrivateKey, pkcs8::DecodePrivateKey};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};
use tokio::net::TcpStream;

/// A port that drops packets is given up after this time.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);

/// How long the signatures of the requests are valid, and how long the expired one has not been.
const VALID_S: i64 = 600;

/// Where connections of visitors begin.
pub(super) enum Outside {
    /// The cloud's own Internet, on this machine.
    Cloud(Namespace),
    /// The network of this machine.
    Machine,
    /// Nowhere, for this reason.
    None(String),
}

impl Outside {
    async fn connects(&self, to: SocketAddr) -> Result<bool, String> {
        let connected = match self {
            Outside::None(why) => return Err(why.clone()),
            Outside::Cloud(internet) => tokio::time::timeout(CONNECT_WITHIN, internet.tcp_connect(to)).await,
            Outside::Machine => tokio::time::timeout(CONNECT_WITHIN, TcpStream::connect(to)).await,
        };
        Ok(matches!(connected, Ok(Ok(_))))
    }
}

/// A deployed stack, and how to look at it.
pub(super) struct Stack<'a> {
    pub(super) client: &'a Client,
    pub(super) manifest: &'a Manifest,
    /// The manifest's own template with the parameters of the deployed stack.
    survey: Survey,
    pub(super) outside: Outside,
    /// The URL of a bucket without the distribution, with `BUCKET` for its name.
    pub(super) bucket_url: String,
    outputs: BTreeMap<String, String>,
    /// Logical id → physical id.
    physical: BTreeMap<String, String>,
    interfaces: Vec<Element>,
}

impl<'a> Stack<'a> {
    pub(super) async fn read(
        client: &'a Client,
        manifest: &'a Manifest,
        setting: Setting,
        outside: Outside,
        bucket_url: String,
    ) -> Result<Stack<'a>> {
        let name = setting.stack.clone();
        let found = up::describe(client, &name).await?;
        let found = found
            .with_context(|| format!("the stack {name} does not exist: the application is not deployed"))?;
        let pair = |o: &Element| (o.text_of("OutputKey").to_owned(), o.text_of("OutputValue").to_owned());
        let survey = survey(manifest, &found, &setting)?;
        let outputs = found.list("Outputs").iter().map(pair).collect();
        let (physical, interfaces) =
            (live::physical_ids(client, &name).await?, live::interfaces(client).await?);
        Ok(Stack { client, manifest, survey, outside, bucket_url, outputs, physical, interfaces })
    }

    /// The site's URL by the stack, without a slash at the end.
    pub(super) fn url(&self) -> Option<String> {
        let given = self.outputs.get("SiteUrl").filter(|url| !url.is_empty()).cloned();
        let own = self.outputs.get("DistributionDomain").map(|domain| format!("https://{domain}"));
        given.or(own).map(|url| url.trim_end_matches('/').to_owned())
    }

    pub(super) async fn side(&self, name: &str, region: &str, url: String) -> Result<Side> {
        let key = self.signing_key().await?;
        let mut behaviours = Vec::new();
        for promised in expect::behaviours(&self.survey) {
            behaviours.push(self.behaviour(promised, &url, key.as_ref()).await?);
        }
        Ok(Side {
            name: name.to_owned(),
            region: region.to_owned(),
            url,
            pages: expect::pages(self.manifest),
            behaviours,
            balancers: self.balancers().await?,
            databases: self.databases().await?,
            ..Side::default()
        })
    }

    /// The logical ids of a type, with their physical ids.
    fn of_kind(&self, kind: &str) -> Vec<(String, String)> {
        let own = self.survey.of_kind(kind);
        own.filter_map(|r| Some((r.id.clone(), self.physical.get(&r.id)?.clone()))).collect()
    }

    /// The private half of the key pair. `None`: no bucket is signed, or the caller may not read the secret.
    async fn signing_key(&self) -> Result<Option<RsaPrivateKey>> {
        let Some(arn) = self.outputs.get("CdnSigningKeyArn") else { return Ok(None) };
        let secret = self.client.json("secretsmanager", "GetSecretValue", json!({"SecretId": arn})).await;
        let secret = match secret {
            Err(error) if is_code(&error, "AccessDeniedException") => return Ok(None),
            other => other.context("the signing key cannot be read")?,
        };
        let pem = secret["SecretString"].as_str().unwrap_or_default();
        let key = RsaPrivateKey::from_pkcs8_pem(pem).or_else(|_| RsaPrivateKey::from_pkcs1_pem(pem));
        key.map(Some).with_context(|| format!("the secret {arn} holds no RSA key in PEM"))
    }

    async fn behaviour(
        &self,
        promised: Promised,
        url: &str,
        key: Option<&RsaPrivateKey>,
    ) -> Result<Behaviour> {
        let mut made = promised.behaviour;
        if let Some(policy) = &promised.headers_policy {
            let id = self.physical.get(policy).unwrap_or(policy);
            let path = format!("/2020-05-31/response-headers-policy/{id}/config");
            let answer = self.client.rest("cloudfront", Method::GET, &path, &[], Bytes::new()).await?;
            let config = Element::parse(&answer.body)?;
            made.headers = headers::added(config.find("ResponseHeadersPolicyConfig").unwrap_or(&config));
        }
        let bucket = promised.bucket.as_ref().and_then(|id| self.physical.get(id));
        let Some(bucket) = bucket else { return Ok(made) };
        let prefix = made.pattern.trim_start_matches('/').trim_end_matches('*');
        let Some(object) = self.first_object(bucket, prefix).await? else { return Ok(made) };
        made.in_bucket = Some(format!("{}{object}", self.bucket_url.replace("BUCKET", bucket)));
        if let Some(key) = key.filter(|_| made.is_signed) {
            made.signed = Some(self.signed(&format!("{url}{object}"), key)?);
        }
        made.object = Some(object);
        Ok(made)
    }

    /// The path of the first object below a prefix.
    async fn first_object(&self, bucket: &str, prefix: &str) -> Result<Option<String>> {
        let path = format!("/{bucket}?list-type=2&max-keys=20&prefix={}", percent_encode(prefix));
        let answer = self.client.rest("s3", Method::GET, &path, &[], Bytes::new()).await?;
        let page = Element::parse(&answer.body)?;
        let keys = page.children.iter().filter(|c| c.name == "Contents").map(|c| c.text_of("Key"));
        // Folders of consoles are empty objects.
        let found = keys.into_iter().find(|key| !key.ends_with('/'));
        Ok(found.map(|key| format!("/{}", key.split('/').map(percent_encode).collect::<Vec<_>>().join("/"))))
    }

    fn signed(&self, url: &str, key: &RsaPrivateKey) -> Result<Signed> {
        let id = self.outputs.get("CdnKeyId").map_or("", String::as_str);
        let now = Clock::machine().now().secs();
        let foreign =
            RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).context("cannot generate an RSA key")?;
        Ok(Signed {
            right: sign::signed_url(url, now + VALID_S, key, id)?,
            expired: sign::signed_url(url, now - VALID_S, key, id)?,
            forged: sign::signed_url(url, now + VALID_S, &foreign, id)?,
        })
    }

    async fn balancers(&self) -> Result<Vec<Balancer>> {
        let azs = usize::try_from(self.manifest.network.azs)?;
        let mut all = Vec::new();
        for (id, arn) in self.of_kind("AWS::ElasticLoadBalancingV2::LoadBalancer") {
            if self.survey.resources[&id].get("/Scheme") == "internal" {
                continue;
            }
            let by_arn = [("LoadBalancerArns.member.1".to_owned(), arn.clone())];
            let found = self.client.query("elbv2", "DescribeLoadBalancers", &by_arn).await?;
            let zones = found.list("LoadBalancers").first().map(|b| b.list("AvailabilityZones").to_vec());
            let zones = zones.unwrap_or_default().iter().map(|z| z.text_of("ZoneName").to_owned()).collect();
            let (nodes, groups) = (self.nodes(&arn).await?, self.groups(&arn).await?);
            all.push(Balancer { id, zones, expected_zones: azs, nodes, groups });
        }
        Ok(all)
    }

    async fn nodes(&self, arn: &str) -> Result<Vec<Node>> {
        // The interfaces of a load balancer are described by the end of its ARN.
        let name = arn.split_once("loadbalancer/").map_or(arn, |(_, name)| name);
        let mut nodes = Vec::new();
        for interface in self.interfaces.iter().filter(|i| i.text_of("description").ends_with(name)) {
            let address = interface.child("association").map_or("", |a| a.text_of("publicIp"));
            let Ok(address) = address.parse::<Ipv4Addr>() else { continue };
            let answers = self.outside.connects((address, 80).into()).await;
            nodes.push(Node { zone: interface.text_of("availabilityZone").to_owned(), answers });
        }
        Ok(nodes)
    }

    async fn groups(&self, balancer: &str) -> Result<Vec<TargetGroup>> {
        let by_arn = [("LoadBalancerArn".to_owned(), balancer.to_owned())];
        let found = self.client.query("elbv2", "DescribeTargetGroups", &by_arn).await?;
        let arns: BTreeSet<&str> =
            found.list("TargetGroups").iter().map(|g| g.text_of("TargetGroupArn")).collect();
        let mut groups = Vec::new();
        for (id, arn) in self.of_kind("AWS::ElasticLoadBalancingV2::TargetGroup") {
            if !arns.contains(arn.as_str()) {
                continue;
            }
            let by_arn = [("TargetGroupArn".to_owned(), arn)];
            let found = self.client.query("elbv2", "DescribeTargetHealth", &by_arn).await?;
            let healthy = found.list("TargetHealthDescriptions").iter().filter(|d| {
                d.child("TargetHealth").is_some_and(|health| health.text_of("State") == "healthy")
            });
            let zone = |d: &Element| self.zone_of(d.child("Target")?.text_of("Id"));
            let service = self
                .manifest
                .services
                .iter()
                .find(|s| id == format!("{}TargetGroup", escale_blueprint::pascal(&s.name)));
            let expected_zones = service.map_or(0, |s| expect::zones_of(self.manifest, &s.name));
            groups.push(TargetGroup { id, zones: healthy.filter_map(zone).collect(), expected_zones });
        }
        Ok(groups)
    }

    /// The zone of a private address.
    fn zone_of(&self, address: &str) -> Option<String> {
        let own = |i: &&Element| {
            i.text_of("privateIpAddress") == address
                && self.physical.values().any(|id| id == i.text_of("vpcId"))
        };
        self.interfaces.iter().find(own).map(|i| i.text_of("availabilityZone").to_owned())
    }

    async fn databases(&self) -> Result<Vec<Database>> {
        let mut all = Vec::new();
        for (id, name) in self.of_kind("AWS::RDS::DBInstance") {
            let by_name = [("DBInstanceIdentifier".to_owned(), name.clone())];
            let found = self.client.query("rds", "DescribeDBInstances", &by_name).await?;
            let instance =
                found.list("DBInstances").first().with_context(|| format!("RDS has no instance {name}"))?;
            let endpoint = instance.child("Endpoint");
            let port = endpoint.map_or("", |e| e.text_of("Port")).parse().unwrap_or(5432);
            let groups = instance.list("VpcSecurityGroups").iter().map(|g| g.text_of("VpcSecurityGroupId"));
            let subnets =
                instance.child("DBSubnetGroup").map(|g| g.list("Subnets").to_vec()).unwrap_or_default();
            let subnets: Vec<&str> = subnets.iter().map(|s| s.text_of("SubnetIdentifier")).collect();
            let expects_standby = self.survey.resources[&id].is_true("/MultiAZ");
            all.push(Database {
                id,
                is_public: instance.text_of("PubliclyAccessible") == "true",
                admitted: self.admitted(groups, port).await?,
                has_internet_route: self.has_internet_route(&subnets).await?,
                answers: self
                    .database_answers(endpoint.map_or("", |e| e.text_of("Address")), port, &subnets)
                    .await,
                expects_standby,
                has_standby: instance.text_of("MultiAZ") == "true",
            });
        }
        Ok(all)
    }

    /// The address blocks that security groups admit at a port.
    async fn admitted(&self, groups: impl Iterator<Item = &str>, port: u16) -> Result<Vec<String>> {
        let named = groups.zip(1..).map(|(group, n)| (format!("GroupId.{n}"), group.to_owned()));
        let found = self.client.query("ec2", "DescribeSecurityGroups", &named.collect::<Vec<_>>()).await?;
        let rules = found.list("securityGroupInfo").iter().flat_map(|group| group.list("ipPermissions"));
        let number = |rule: &Element, name: &str| rule.text_of(name).parse::<u16>().ok();
        let at_port = rules.filter(|rule| match (number(rule, "fromPort"), number(rule, "toPort")) {
            (Some(from), Some(to)) => {
                (from..=to).contains(&port) && matches!(rule.text_of("ipProtocol"), "tcp" | "6")
            }
            // All protocols have no ports.
            _ => rule.text_of("ipProtocol") == "-1",
        });
        let mut blocks: BTreeSet<String> = BTreeSet::new();
        for rule in at_port {
            blocks.extend(rule.list("ipRanges").iter().map(|range| range.text_of("cidrIp").to_owned()));
            blocks.extend(rule.list("ipv6Ranges").iter().map(|range| range.text_of("cidrIpv6").to_owned()));
            blocks.extend(
                rule.list("prefixListIds").iter().map(|list| list.text_of("prefixListId").to_owned()),
            );
        }
        Ok(blocks.into_iter().collect())
    }

    async fn has_internet_route(&self, subnets: &[&str]) -> Result<bool> {
        let tables =
            self.client.query_all("ec2", "DescribeRouteTables", &[], "routeTableSet", "nextToken").await?;
        let leads_out = |table: &Element| {
            table.list("routeSet").iter().any(|r| r.text_of("gatewayId").starts_with("igw-"))
        };
        let is_of = |table: &Element, subnet: &str| {
            table.list("associationSet").iter().any(|a| a.text_of("subnetId") == subnet)
        };
        let is_main = |table: &Element| {
            let is_own = self.physical.values().any(|id| id == table.text_of("vpcId"));
            is_own && table.list("associationSet").iter().any(|a| a.text_of("main") == "true")
        };
        Ok(subnets.iter().any(|subnet| {
            let own = tables.iter().find(|table| is_of(table, subnet));
            // A subnet without an association has the VPC's main table.
            own.or_else(|| tables.iter().find(|table| is_main(table))).is_some_and(leads_out)
        }))
    }

    /// Tries the database's name as this machine resolves it, and, in a cloud on this machine, its private addresses from the Internet.
    async fn database_answers(&self, name: &str, port: u16, subnets: &[&str]) -> Result<bool, String> {
        if let Outside::Cloud(_) = self.outside {
            // The interfaces of its servers are in its subnets.
            let own = self.interfaces.iter().filter(|i| subnets.contains(&i.text_of("subnetId")));
            let addresses = own.flat_map(|i| {
                [i.text_of("privateIpAddress"), i.child("association").map_or("", |a| a.text_of("publicIp"))]
            });
            let addresses: Vec<Ipv4Addr> = addresses.filter_map(|address| address.parse().ok()).collect();
            for address in addresses {
                if self.outside.connects((address, port).into()).await? {
                    return Ok(true);
                }
            }
        }
        match (&self.outside, address(name, port).await) {
            (Outside::None(why), _) => Err(why.clone()),
            // A name that does not resolve outside of the VPC leads nowhere.
            (_, Err(_)) => Ok(false),
            (_, Ok(to)) => Outside::Machine.connects(to).await,
        }
    }
}

/// The manifest's template as it is deployed: its conditions depend on parameters.
fn survey(manifest: &Manifest, stack: &Element, setting: &Setting) -> Result<Survey> {
    let made = template(manifest).map_err(|p| anyhow::anyhow!("{}", p[0]))?;
    let own = |name: &str| made.parameters.iter().any(|parameter| parameter.name == name);
    let given = stack.list("Parameters").iter().filter(|p| own(p.text_of("ParameterKey")));
    let given =
        given.map(|p| (p.text_of("ParameterKey").into(), p.text_of("ParameterValue").to_owned())).collect();
    Survey::of_template(&made.to_yaml(), &given, setting)
        .map_err(|error| anyhow::anyhow!("the template of {}: {error}", manifest.app))
}
