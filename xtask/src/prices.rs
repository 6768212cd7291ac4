//! `cargo xtask prices FILE [REGION]`: reads a price list of AWS into `proof/prices.json`, with the list's address and publication date.
//!
//! The lists: <https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/using-the-aws-price-list-bulk-api.html>, for example
//! <https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/AmazonECS/current/eu-west-3/index.json>. Nothing is downloaded here.

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};
use std::{fs, path::Path};

const TABLE: &str = "proof/prices.json";

/// The regions that the table has, with the prefixes of their usage types.
const REGIONS: [(&str, &str); 2] = [("us-east-1", ""), ("eu-west-3", "EUW3-")];

/// What a list calls an item: the offer, the usage type without the region's prefix, a part of the description, the item, its unit.
const ITEMS: &[(&str, &str, &str, &str, &str)] = &[
    ("AmazonECS", "Fargate-vCPU-Hours:perCPU", "", "fargate.vcpu", "vCPU-hour"),
    ("AmazonECS", "Fargate-GB-Hours", "", "fargate.gb", "GB-hour"),
    ("AmazonECS", "Fargate-ARM-vCPU-Hours:perCPU", "", "fargate.arm.vcpu", "vCPU-hour"),
    ("AmazonECS", "Fargate-ARM-GB-Hours", "", "fargate.arm.gb", "GB-hour"),
    ("AWSELB", "LoadBalancerUsage", "Application", "alb.hour", "hour"),
    ("AWSELB", "LCUUsage", "Application", "alb.lcu", "LCU-hour"),
    ("AWSELB", "LoadBalancerUsage", "Network", "nlb.hour", "hour"),
    ("AWSELB", "LCUUsage", "Network", "nlb.lcu", "LCU-hour"),
    ("AmazonEC2", "NatGateway-Hours", "", "nat.hour", "hour"),
    ("AmazonEC2", "NatGateway-Bytes", "", "nat.gb", "GB"),
    ("AmazonVPC", "PublicIPv4:InUseAddress", "", "ipv4.hour", "hour"),
    ("AmazonVPC", "VpcEndpoint-Hours", "", "endpoint.hour", "hour"),
    ("AmazonRDS", "RDS:GP3-Storage", "PostgreSQL", "rds.gp3", "GB-month"),
    ("AmazonRDS", "RDS:GP2-Storage", "PostgreSQL", "rds.gp2", "GB-month"),
    ("AmazonS3", "TimedStorage-ByteHrs", "", "s3.gb", "GB-month"),
    ("AmazonS3", "Requests-Tier1", "", "s3.put", "request"),
    ("AmazonS3", "Requests-Tier2", "", "s3.get", "request"),
    ("AmazonECR", "TimedStorage-ByteHrs", "", "ecr.gb", "GB-month"),
    ("AWSSecretsManager", "AWSSecretsManager-Secrets", "", "secret", "secret"),
    ("AmazonCloudWatch", "DataProcessing-Bytes", "Standard", "logs.ingested", "GB"),
    ("AmazonCloudWatch", "TimedStorage-ByteHrs", "", "logs.stored", "GB-month"),
    ("AmazonCloudWatch", "CW:AlarmMonitorUsage", "", "alarm", "alarm"),
    ("AWSDataTransfer", "DataTransfer-Out-Bytes", "", "transfer.out", "GB"),
];

pub(crate) fn prices(file: &str) -> Result<()> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
    let list: Value = serde_json::from_str(&text).with_context(|| format!("{file} is not JSON"))?;
    let found = read(&list)?;
    if found.is_empty() {
        bail!("{file} has none of the items that xtask/src/prices.rs lists");
    }
    let table = Path::new(TABLE);
    let mut all: Vec<Value> = serde_json::from_str(&fs::read_to_string(table)?)?;
    for price in &found {
        println!("{} {} {}", price["item"], price["region"], price["usd"]);
        all.retain(|known| known["item"] != price["item"] || known["region"] != price["region"]);
    }
    all.extend(found);
    all.sort_by_key(|price| (price["item"].to_string(), price["region"].to_string()));
    let lines: Vec<String> = all.iter().map(|price| format!("  {price}")).collect();
    fs::write(table, format!("[\n{}\n]\n", lines.join(",\n")))
        .with_context(|| format!("cannot write {TABLE}"))
}

/// The prices of a list: on demand, the first tier.
fn read(list: &Value) -> Result<Vec<Value>> {
    let offer = list["offerCode"].as_str().context("a price list has an offerCode")?;
    let published = list["publicationDate"].as_str().context("a price list has a publicationDate")?;
    let as_of = published.get(..10).context("the publicationDate is too short")?;
    let products = list["products"].as_object().context("a price list has products")?;
    let mut found: Vec<Value> = Vec::new();
    for (sku, product) in products {
        let usage = product["attributes"]["usagetype"].as_str().unwrap_or_default();
        for dimension in dimensions(&list["terms"]["OnDemand"][sku]) {
            let description = dimension["description"].as_str().unwrap_or_default();
            let Some((region, item, unit)) = item(offer, usage, description, &product["attributes"]) else {
                continue;
            };
            let usd: f64 =
                dimension["pricePerUnit"]["USD"].as_str().unwrap_or_default().parse().unwrap_or(0.0);
            let is_first = dimension["beginRange"].as_str().unwrap_or("0") == "0";
            let is_new = !found.iter().any(|known| known["item"] == item && known["region"] == region);
            if usd > 0.0 && is_first && is_new {
                let url = format!(
                    "https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/{offer}/current/{region}/index.json"
                );
                found.push(json!({"item": item, "region": region, "usd": usd, "unit": unit, "url": url, "as_of": as_of}));
            }
        }
    }
    Ok(found)
}

fn dimensions(terms: &Value) -> Vec<&Value> {
    let terms = terms.as_object().into_iter().flat_map(Map::values);
    terms.flat_map(|term| term["priceDimensions"].as_object().into_iter().flat_map(Map::values)).collect()
}

/// The region, the item and the unit of a usage type.
fn item(
    offer: &str,
    usage: &str,
    description: &str,
    attributes: &Value,
) -> Option<(&'static str, String, &'static str)> {
    // us-east-1 has no prefix, so it is what is left when no other region's fits.
    let (region, rest) = REGIONS
        .iter()
        .rev()
        .find_map(|(region, prefix)| usage.strip_prefix(prefix).map(|rest| (*region, rest)))?;
    if offer == "AmazonRDS"
        && let Some(class) = rest.strip_prefix("InstanceUsage:")
        && attributes["databaseEngine"] == "PostgreSQL"
        && attributes["deploymentOption"] == "Single-AZ"
    {
        return Some((region, format!("rds.postgres.{class}"), "hour"));
    }
    let (.., name, unit) = ITEMS
        .iter()
        .find(|(of, usage, words, ..)| *of == offer && *usage == rest && description.contains(words))?;
    Some((region, (*name).to_owned(), unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(offer: &str, usage: &str, attributes: Value, description: &str, usd: &str) -> Value {
        let mut attributes = attributes;
        attributes["usagetype"] = usage.into();
        json!({
            "offerCode": offer,
            "publicationDate": "2026-10-06T22:40:50Z",
            "products": {"SKU": {"attributes": attributes}},
            "terms": {"OnDemand": {"SKU": {"SKU.TERM": {"priceDimensions": {"SKU.TERM.RATE": {
                "beginRange": "0", "description": description, "pricePerUnit": {"USD": usd}
            }}}}}},
        })
    }

    #[test]
    fn reads_the_format_of_price_lists() {
        let found = read(&list("AmazonECS", "EUW3-Fargate-GB-Hours", json!({}), "", "0.0053")).unwrap();
        assert_eq!(
            found,
            [json!({
                "item": "fargate.gb", "region": "eu-west-3", "usd": 0.0053, "unit": "GB-hour",
                "url": "https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/AmazonECS/current/eu-west-3/index.json",
                "as_of": "2026-10-06"
            })]
        );
        let engine = json!({"databaseEngine": "PostgreSQL", "deploymentOption": "Single-AZ"});
        let found = read(&list("AmazonRDS", "InstanceUsage:db.t4g.small", engine, "", "0.032")).unwrap();
        assert_eq!(
            (&found[0]["item"], &found[0]["region"]),
            (&json!("rds.postgres.db.t4g.small"), &json!("us-east-1"))
        );
    }

    #[test]
    fn ignores_what_the_table_does_not_have() {
        for (offer, usage, usd) in [
            ("AmazonECS", "APN1-Fargate-GB-Hours", "0.005"),
            ("AmazonECS", "EUW3-Fargate-GB-Hours", "0"),
            ("AmazonECS", "EUW3-ECS-EC2-GB-Hours", "0.005"),
        ] {
            assert!(read(&list(offer, usage, json!({}), "", usd)).unwrap().is_empty(), "{usage}");
        }
        assert!(read(&json!({"offerCode": "AmazonECS"})).is_err());
    }
}
