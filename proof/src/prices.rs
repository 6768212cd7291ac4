//! The table of prices: `prices.json`, each with its source and date. `cargo xtask prices FILE` updates it from AWS's price lists.

use serde::{Deserialize, Serialize};
use std::sync::OnceLock;

/// The price of one unit, in USD, on demand, of the first tier, without taxes and free tiers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// `nat.hour`.
    pub item: String,
    /// `global` for services without a region.
    pub region: String,
    pub usd: f64,
    pub unit: String,
    /// The page or price list that says so.
    pub url: String,
    /// The date of the page, as exact as it is known, or its revision.
    pub as_of: String,
    /// The document from which the price was copied, if that is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quoted_by: Option<String>,
}

pub fn all() -> &'static [Price] {
    static ALL: OnceLock<Vec<Price>> = OnceLock::new();
    ALL.get_or_init(|| {
        serde_json::from_str(include_str!("../prices.json")).expect("prices.json is checked by a test")
    })
}

/// The price of an item in a region; `None` if the table has no source for it.
pub fn of(item: &str, region: &str) -> Option<&'static Price> {
    let found = |at: &str| all().iter().find(|price| price.item == item && price.region == at);
    found(region).or_else(|| found("global"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_price_has_a_source_and_a_date() {
        let mut seen = BTreeSet::new();
        for price in all() {
            let name = format!("{} in {}", price.item, price.region);
            assert!(price.url.starts_with("https://"), "{name} has no page");
            let is_date = price.as_of.starts_with("20") && price.as_of.len() >= 4;
            assert!(is_date || price.as_of.starts_with("revision "), "{name} has no date");
            assert!(price.usd > 0.0 && price.usd < 100.0 && !price.unit.is_empty(), "{name}");
            assert!(matches!(price.region.as_str(), "us-east-1" | "eu-west-3" | "global"), "{name}");
            assert!(seen.insert((&price.item, &price.region)), "{name} is listed twice");
        }
    }

    #[test]
    fn a_price_without_a_source_is_not_guessed_from_another_region() {
        assert!(of("fargate.vcpu", "us-east-1").is_some());
        assert!(of("fargate.vcpu", "eu-west-3").is_none());
        assert_eq!(of("route53.zone", "eu-west-3").map(|p| p.usd), Some(0.5));
        assert!(of("nat.hour", "ap-south-1").is_none());
    }
}
