//! `escale mailbox`: prints the mail that topics sent to addresses. It is in a log group, so nothing leaves the machine.

use super::{Output, client::Client, logs};
use crate::{home::Home, settings::Settings};
use anyhow::Result;
use clap::Args;
use escale_base::Timestamp;
use serde_json::json;

#[derive(Args)]
pub(crate) struct Mailbox {
    /// Print the mail to this address only.
    address: Option<String>,
}

pub(crate) async fn run(home: &Home, out: &Output, args: &Mailbox) -> Result<()> {
    let client = Client::new(home, &Settings::of(home)?);
    let group = escale_sns::MAILBOX;
    let found = client.json("logs", "DescribeLogGroups", json!({ "logGroupNamePrefix": group })).await?;
    let exists =
        found["logGroups"].as_array().is_some_and(|all| all.iter().any(|g| g["logGroupName"] == group));
    let mail = if exists { logs::read(&client, group, 0).await? } else { Vec::new() };
    let is_wanted = |address: &str| args.address.as_deref().is_none_or(|wanted| wanted == address);
    for event in mail.iter().filter(|e| e["logStreamName"].as_str().is_some_and(is_wanted)) {
        if out.json {
            super::print(&format!("{event}\n"));
            continue;
        }
        let at = Timestamp(event["timestamp"].as_i64().unwrap_or(0)).iso8601();
        let text = event["message"].as_str().unwrap_or_default().trim_end();
        super::print(&format!("Date: {at}\n{text}\n\n"));
    }
    Ok(())
}
