//! `escale cost`: the monthly price of a template or of a running application.

use super::{super::Output, Subject};
use crate::home::Home;
use anyhow::Result;
use clap::Args;
use escale_proof::cost::{Bill, Line, Usage};
use serde_json::json;
use std::collections::BTreeSet;

#[derive(Args)]
pub(crate) struct Cost {
    #[command(flatten)]
    subject: Subject,
    /// Data sent to users a month: `100GB`, `2TB`.
    #[arg(long, value_name = "SIZE", value_parser = gigabytes, default_value = "100GB")]
    traffic: f64,
    /// Requests of users a month: `1M`, `250k`.
    #[arg(long, value_name = "NUMBER", value_parser = count, default_value = "1M")]
    requests: f64,
    /// Data through NAT gateways a month.
    #[arg(long, value_name = "SIZE", value_parser = gigabytes, default_value = "10GB")]
    nat_traffic: f64,
    /// Logs written a month.
    #[arg(long, value_name = "SIZE", value_parser = gigabytes, default_value = "5GB")]
    logs: f64,
    /// Data in all buckets.
    #[arg(long, value_name = "SIZE", value_parser = gigabytes, default_value = "10GB")]
    bucket_storage: f64,
    /// GET requests that reach buckets a month.
    #[arg(long, value_name = "NUMBER", value_parser = count, default_value = "100k")]
    bucket_requests: f64,
    /// Data in all image repositories.
    #[arg(long, value_name = "SIZE", value_parser = gigabytes, default_value = "2GB")]
    images: f64,
}

/// A size in GB. AWS bills GB of 2^30 bytes; a TB has 1024 of them.
fn gigabytes(text: &str) -> Result<f64, String> {
    let units = [("TB", 1024.0), ("GB", 1.0), ("MB", 1.0 / 1024.0)];
    scaled(text, &units)
        .ok_or_else(|| format!("'{text}' is not a size: write for example 100GB, 2TB or 500MB"))
}

fn count(text: &str) -> Result<f64, String> {
    let units = [("M", 1e6), ("k", 1e3), ("", 1.0)];
    scaled(text, &units).ok_or_else(|| format!("'{text}' is not a number: write for example 1M, 250k or 800"))
}

fn scaled(text: &str, units: &[(&str, f64)]) -> Option<f64> {
    let (number, factor) =
        units.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)))?;
    let number: f64 = number.trim().parse().ok()?;
    (number.is_finite() && number >= 0.0).then_some(number * factor)
}

impl Cost {
    fn usage(&self) -> Usage {
        Usage {
            traffic_gb: self.traffic,
            requests: self.requests,
            nat_gb: self.nat_traffic,
            logs_gb: self.logs,
            bucket_gb: self.bucket_storage,
            bucket_requests: self.bucket_requests,
            image_gb: self.images,
        }
    }
}

pub(crate) async fn run(home: &Home, out: &Output, args: &Cost) -> Result<()> {
    let read = args.subject.read(home).await?;
    let bill = Bill::of(&read.survey, &read.architecture, args.usage());
    let ten = Bill::of(&read.survey, &read.architecture, args.usage().times(10.0));
    let mut value = serde_json::to_value(&bill)?;
    value["source"] = read.source.as_str().into();
    value["at_ten_times_the_usage_usd"] = json!(ten.total_usd);
    value["template_unknown"] = serde_json::to_value(&read.architecture.unknown)?;
    out.say(
        &in_words(
            &read.source,
            &bill,
            &ten,
            &read.architecture.unknown.iter().map(|u| u.what.clone()).collect::<Vec<_>>(),
        ),
        &value,
    );
    Ok(())
}

fn money(usd: Option<f64>) -> String {
    usd.map_or_else(|| "unknown".to_owned(), |usd| format!("{usd:.2}"))
}

fn in_words(source: &str, bill: &Bill, ten: &Bill, template_unknown: &[String]) -> String {
    let mut lines = vec![format!("{source} in {}: USD a month", bill.region)];
    lines.extend(bill.lines.iter().map(row));
    lines.push(format!("{:>10}  total{}", money(Some(bill.total_usd)), without(bill)));
    lines.push(format!(
        "{:>10}  total at 10 times this usage, with the same tasks and servers",
        money(Some(ten.total_usd))
    ));
    section(
        &mut lines,
        "Unknown, and not in the total: the table of prices has no source for",
        &bill.unknown,
    );
    section(&mut lines, "Not priced", &bill.not_priced);
    section(&mut lines, "Not known from the template", template_unknown);
    let redundancies: Vec<String> = bill
        .redundancies
        .iter()
        .map(|r| format!("{:>8}  {}: {}. {}", money(r.monthly_usd), r.resource, r.what, r.buys))
        .collect();
    section(&mut lines, "What redundancy costs and buys", &redundancies);
    let variants: Vec<String> = bill
        .variants
        .iter()
        .map(|v| match v.saves_usd {
            Some(usd) if usd < 0.0 => {
                format!("{:>8}  {} costs more here. {}", money(Some(usd)), v.what, v.loses)
            }
            usd => format!("{:>8}  saved by {}. {}", money(usd), v.what, v.loses),
        })
        .collect();
    section(&mut lines, "Cheaper variants, and their price", &variants);
    section(&mut lines, "Assumptions", &bill.assumptions);
    let sources: BTreeSet<String> = bill
        .lines
        .iter()
        .filter_map(|line| line.source)
        .map(|price| format!("{} ({})", price.url, price.as_of))
        .collect();
    section(&mut lines, "Sources of the prices", &sources.into_iter().collect::<Vec<_>>());
    lines.join("\n")
}

fn without(bill: &Bill) -> String {
    match bill.unknown.len() {
        0 => String::new(),
        1 => ", without one item whose price is unknown".to_owned(),
        many => format!(", without {many} items whose prices are unknown"),
    }
}

fn row(line: &Line) -> String {
    let place = if line.line > 0 { format!("  line {}", line.line) } else { String::new() };
    let unit = line.unit_usd.map_or_else(|| "unknown".to_owned(), |usd| usd.to_string());
    let name = if line.resource.is_empty() { String::new() } else { format!("{}: ", line.resource) };
    let quantity = (line.quantity * 100.0).round() / 100.0;
    format!("{:>10}  {name}{}  {quantity} {} x {unit}{place}", money(line.monthly_usd), line.what, line.unit)
}

fn section(lines: &mut Vec<String>, title: &str, items: &[String]) {
    if items.is_empty() {
        return;
    }
    lines.push(format!("{title}:"));
    lines.extend(items.iter().map(|item| format!("  {item}")));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_sizes_and_numbers_with_units() {
        assert_eq!(gigabytes("100GB"), Ok(100.0));
        assert_eq!(gigabytes("2TB"), Ok(2048.0));
        assert_eq!(count("1M"), Ok(1e6));
        assert_eq!(count("250k"), Ok(250e3));
        for text in ["100", "GB", "-1GB", "infGB"] {
            assert!(gigabytes(text).is_err(), "{text}");
        }
        assert!(count("1G").is_err());
    }
}
