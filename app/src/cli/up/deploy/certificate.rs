//! The certificate and the hosted zone of a domain, which exist before the stack: ACM issues a certificate once a delegated zone
//! proves the domain.

use crate::cli::{
    client::Client,
    remote::{Environment, GLOBAL_REGION},
    up::Phases,
};
use anyhow::{Context, Result, bail};
use bytes::Bytes;
use escale_wire::Element;
use http::Method;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Pause between two looks at a certificate.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// ACM usually validates within minutes; a zone that is not delegated never is.
const ISSUED_WITHIN: Duration = Duration::from_secs(30 * 60);

/// A public hosted zone of the account.
pub(super) struct Zone {
    /// Without `/hostedzone/`.
    pub(super) id: String,
    /// Without the dot at its end.
    name: String,
}

/// A certificate that this deployment requested, and the record that proves the domain.
pub(super) struct Made {
    client: Client,
    arn: String,
    record: Option<(String, Record)>,
}

#[derive(Clone, PartialEq, Eq)]
struct Record {
    name: String,
    value: String,
}

/// The account's public zone in which a resolver would look for the domain.
pub(super) async fn zone(client: &Client, domain: &str) -> Result<Zone> {
    let mut zones = Vec::new();
    let mut from = String::new();
    loop {
        let path = format!("/2013-04-01/hostedzone{from}");
        let answer = client.rest("route53", Method::GET, &path, &[], Bytes::new()).await?;
        let page = Element::parse(&answer.body)?;
        zones.extend(page.list("HostedZones").iter().filter(|zone| !is_private(zone)).map(|zone| Zone {
            id: zone.text_of("Id").trim_start_matches("/hostedzone/").to_owned(),
            name: zone.text_of("Name").trim_end_matches('.').to_owned(),
        }));
        match page.text_of("NextMarker") {
            "" => break,
            marker => from = format!("?marker={}", escale_base::path::percent_encode(marker)),
        }
    }
    let found =
        zones.into_iter().filter(|zone| is_within(domain, &zone.name)).max_by_key(|zone| zone.name.len());
    found.with_context(|| {
        format!(
            "the account has no public hosted zone for {domain}. Create one with `aws route53 create-hosted-zone --name {domain} \
             --caller-reference {domain}`, have the domain's registrar delegate to its name servers, and run `escale deploy` again"
        )
    })
}

fn is_private(zone: &Element) -> bool {
    zone.find("Config").is_some_and(|config| config.text_of("PrivateZone") == "true")
}

fn is_within(domain: &str, zone: &str) -> bool {
    domain == zone || domain.strip_suffix(zone).is_some_and(|rest| rest.ends_with('.'))
}

/// Whether a certificate's name covers the domain: `*` replaces exactly one label.
fn covers(name: &str, domain: &str) -> bool {
    name == domain
        || name
            .strip_prefix("*.")
            .is_some_and(|rest| domain.split_once('.').is_some_and(|(_, parent)| parent == rest))
}

/// An issued certificate for the domain; a new one if there is none.
pub(super) async fn certificate(
    env: &Environment,
    domain: &str,
    zone: &Zone,
    made: &mut Option<Made>,
    phases: &Phases,
) -> Result<String> {
    // CloudFront's certificates are in this region, whatever the region of the application is.
    let client = Client::remote(env.remote.in_region(GLOBAL_REGION));
    let names = |c: &Value| -> Vec<String> {
        let others = c["SubjectAlternativeNameSummaries"].as_array().into_iter().flatten();
        others.chain([&c["DomainName"]]).filter_map(|name| name.as_str().map(str::to_owned)).collect()
    };
    let (mut token, mut pending) = (Value::Null, None);
    loop {
        let mut input = json!({"CertificateStatuses": ["ISSUED", "PENDING_VALIDATION"]});
        if !token.is_null() {
            input["NextToken"] = token;
        }
        let page = client.json("acm", "ListCertificates", input).await?;
        for found in page["CertificateSummaryList"].as_array().into_iter().flatten() {
            let Some(arn) = found["CertificateArn"].as_str() else { continue };
            if names(found).iter().any(|name| covers(name, domain)) {
                match found["Status"].as_str() {
                    Some("ISSUED") => return Ok(arn.to_owned()),
                    _ if found["DomainName"] == domain => pending = Some(arn.to_owned()),
                    _ => {}
                }
            }
        }
        token = page["NextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    let arn = match pending {
        // An interrupted deployment requested it.
        Some(arn) => arn,
        None => {
            let token = escale_base::ids::random_hex(32);
            let input = json!({"DomainName": domain, "ValidationMethod": "DNS", "IdempotencyToken": token});
            let requested = client.json("acm", "RequestCertificate", input).await?;
            let arn = requested["CertificateArn"]
                .as_str()
                .context("ACM's response to RequestCertificate has no ARN")?;
            *made = Some(Made { client: client.clone(), arn: arn.to_owned(), record: None });
            arn.to_owned()
        }
    };
    issued(&client, &arn, domain, zone, made, phases).await?;
    Ok(arn)
}

/// Sets the record that proves the domain, and waits until ACM has issued the certificate.
#[allow(clippy::disallowed_methods)] // AWS's own clock decides when the validation ends
async fn issued(
    client: &Client,
    arn: &str,
    domain: &str,
    zone: &Zone,
    made: &mut Option<Made>,
    phases: &Phases,
) -> Result<()> {
    let deadline = Instant::now() + ISSUED_WITHIN;
    let mut set = None;
    loop {
        let found = client.json("acm", "DescribeCertificate", json!({"CertificateArn": arn})).await?;
        let found = &found["Certificate"];
        match found["Status"].as_str() {
            Some("ISSUED") => return Ok(()),
            Some("PENDING_VALIDATION") => {}
            status => bail!(
                "ACM did not issue the certificate {arn} for {domain}: {} {}",
                status.unwrap_or("no status"),
                found["FailureReason"].as_str().unwrap_or_default()
            ),
        }
        let wanted = &found["DomainValidationOptions"][0]["ResourceRecord"];
        if let (None, Some(name), Some(value)) = (&set, wanted["Name"].as_str(), wanted["Value"].as_str()) {
            let record = Record { name: name.to_owned(), value: value.to_owned() };
            change(client, &zone.id, "UPSERT", &record).await?;
            if let Some(made) = made {
                made.record = Some((zone.id.clone(), record.clone()));
            }
            set = Some(record);
        }
        phases.set_message(format!("ACM validates {domain} by a record in the zone {}", zone.name));
        if Instant::now() > deadline {
            bail!(
                "ACM did not validate {domain} within {} minutes. Check that the zone {} ({}) is the one to which the domain is \
                 delegated, and run `escale deploy` again",
                ISSUED_WITHIN.as_secs() / 60,
                zone.name,
                zone.id
            );
        }
        client.pause(LOOK_AGAIN).await;
    }
}

async fn change(client: &Client, zone: &str, action: &str, record: &Record) -> Result<()> {
    let escaped = |text: &str| quick_xml::escape::escape(text).into_owned();
    let body = format!(
        "<ChangeResourceRecordSetsRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><ChangeBatch><Changes><Change>\
         <Action>{action}</Action><ResourceRecordSet><Name>{}</Name><Type>CNAME</Type><TTL>300</TTL><ResourceRecords>\
         <ResourceRecord><Value>{}</Value></ResourceRecord></ResourceRecords></ResourceRecordSet></Change></Changes>\
         </ChangeBatch></ChangeResourceRecordSetsRequest>",
        escaped(&record.name),
        escaped(&record.value)
    );
    let path = format!("/2013-04-01/hostedzone/{zone}/rrset");
    let headers = [("content-type", "text/xml")];
    let changed = client.rest("route53", Method::POST, &path, &headers, Bytes::from(body)).await;
    changed.with_context(|| format!("cannot change the record {} in the zone {zone}", record.name))?;
    Ok(())
}

impl Made {
    /// Removes both again: the deployment that needed them has failed.
    pub(super) async fn remove(self) -> Result<()> {
        if let Some((zone, record)) = &self.record {
            change(&self.client, zone, "DELETE", record).await?;
        }
        let input = json!({"CertificateArn": self.arn});
        let deleted = self.client.json("acm", "DeleteCertificate", input).await;
        deleted.with_context(|| format!("cannot delete the certificate {}", self.arn))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_and_certificates_are_chosen_by_whole_labels() {
        assert!(is_within("shop.example.com", "example.com") && is_within("example.com", "example.com"));
        assert!(
            !is_within("shopexample.com", "example.com") && !is_within("example.com", "shop.example.com")
        );
        assert!(
            covers("shop.example.com", "shop.example.com") && covers("*.example.com", "shop.example.com")
        );
        assert!(!covers("*.example.com", "a.shop.example.com") && !covers("*.example.com", "example.com"));
    }
}
