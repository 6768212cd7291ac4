//! The monthly price of an architecture: a line for each thing that AWS bills, what each redundancy costs and buys, and cheaper
//! variants with their price in availability.
//!
//! A line whose price has no source is unknown, and the total says so. Start at [`Bill::of`].

mod lines;
mod variants;

pub use variants::{Redundancy, Variant};

use crate::{graph::Architecture, prices::Price, survey::Survey};
use serde::Serialize;

/// AWS's own convention: <https://aws.amazon.com/calculator/calculator-assumptions/>
pub const HOURS: f64 = 730.0;

/// What the template does not say and the bill depends on, a month.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Usage {
    /// Sent to users.
    pub traffic_gb: f64,
    /// Of users.
    pub requests: f64,
    /// Through NAT gateways, both directions.
    pub nat_gb: f64,
    pub logs_gb: f64,
    /// In all buckets.
    pub bucket_gb: f64,
    /// GET requests that reach buckets.
    pub bucket_requests: f64,
    /// In all image repositories.
    pub image_gb: f64,
}

impl Default for Usage {
    fn default() -> Usage {
        Usage {
            traffic_gb: 100.0,
            requests: 1e6,
            nat_gb: 10.0,
            logs_gb: 5.0,
            bucket_gb: 10.0,
            bucket_requests: 1e5,
            image_gb: 2.0,
        }
    }
}

impl Usage {
    /// The same application with so many times its users. Images stay.
    pub fn times(&self, factor: f64) -> Usage {
        Usage {
            traffic_gb: self.traffic_gb * factor,
            requests: self.requests * factor,
            nat_gb: self.nat_gb * factor,
            logs_gb: self.logs_gb * factor,
            bucket_gb: self.bucket_gb * factor,
            bucket_requests: self.bucket_requests * factor,
            image_gb: self.image_gb,
        }
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// The logical id; empty for what belongs to no single resource.
    pub resource: String,
    /// Of the template.
    pub line: usize,
    /// `NAT gateway`.
    pub what: String,
    /// The same for documents in French.
    #[serde(skip)]
    pub french: String,
    /// `nat.hour`.
    pub item: String,
    pub quantity: f64,
    pub unit: String,
    /// `None`: the table has no source.
    pub unit_usd: Option<f64>,
    pub monthly_usd: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<&'static Price>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Bill {
    pub region: String,
    pub usage: Usage,
    pub lines: Vec<Line>,
    /// The sum of the lines with a price.
    pub total_usd: f64,
    /// The items without a price, each once: the total lacks them.
    pub unknown: Vec<String>,
    /// Resources for which the table has no rule; those that AWS does not bill are not among them.
    pub not_priced: Vec<String>,
    pub assumptions: Vec<String>,
    pub redundancies: Vec<Redundancy>,
    pub variants: Vec<Variant>,
}

impl Bill {
    pub fn of(survey: &Survey, arch: &Architecture, usage: Usage) -> Bill {
        let (lines, not_priced) = lines::of(survey, arch, usage);
        let mut unknown: Vec<String> = lines
            .iter()
            .filter(|l| l.monthly_usd.is_none())
            .map(|l| format!("{} ({})", l.what, l.item))
            .collect();
        unknown.sort();
        unknown.dedup();
        Bill {
            region: arch.region.clone(),
            usage,
            total_usd: lines.iter().filter_map(|l| l.monthly_usd).sum(),
            unknown,
            not_priced,
            assumptions: assumptions(arch, &usage),
            redundancies: variants::redundancies(arch),
            variants: variants::cheaper(arch, &lines),
            lines,
        }
    }
}

fn assumptions(arch: &Architecture, usage: &Usage) -> Vec<String> {
    let mut all = vec![
        format!("A month has {HOURS} hours, and everything runs all of them."),
        "Prices are on demand, in USD, of the first tier, without taxes; free tiers are not deducted.".to_owned(),
        format!(
            "{} GB are sent to users in {} requests (--traffic, --requests); viewers of CloudFront are in the region's part of the \
             world and use HTTPS.",
            usage.traffic_gb, usage.requests
        ),
        format!("{} GB pass NAT gateways (--nat-traffic), spread evenly.", usage.nat_gb),
        format!("{} GB of logs are written and kept for a month (--logs).", usage.logs_gb),
        format!(
            "Buckets hold {} GB and answer {} GET requests (--bucket-storage, --bucket-requests).",
            usage.bucket_gb, usage.bucket_requests
        ),
        format!("Image repositories hold {} GB (--images).", usage.image_gb),
        "Not included: traffic between zones, backups beyond the size of the database, Savings Plans and reservations.".to_owned(),
    ];
    if arch.services.iter().any(|s| s.is_spot) {
        all.push("Tasks on Fargate Spot have a price that changes: it is unknown here.".to_owned());
    }
    all
}

#[cfg(test)]
mod tests;
