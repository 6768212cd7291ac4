//! Issues requested certificates once their names are validated, and renews them.

use crate::{status, validation};
use escale_authority::{Authority, KeyKind, Leaf, Purpose};
use escale_base::{Clock, Timestamp};
use escale_engine::{Plan, Reconciler, StepError};
use escale_service::Config;
use escale_store::{Change, Image, Store, StoreError};
use escale_tables::{
    acm::{Certificate, CertificateArn, CertificateSeen, KeyAlgorithm, Material, Origin},
    route53::HostedZone,
};
use std::{collections::BTreeSet, sync::Arc};

const DAY_MS: i64 = 24 * 3600 * 1000;
/// AWS's validity of public certificates.
/// Source: <https://docs.aws.amazon.com/acm/latest/userguide/acm-certificate-characteristics.html>
const VALID_MS: i64 = 198 * DAY_MS;
/// How long before its end a certificate is renewed.
/// Source: <https://docs.aws.amazon.com/acm/latest/userguide/managed-renewal.html>
const RENEW_BEFORE_MS: i64 = 45 * DAY_MS;

pub(crate) struct Certificates {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) config: Arc<Config>,
    pub(crate) authority: Arc<dyn Authority>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Issue(Leaf),
    /// The certificate was deleted.
    Forget,
}

impl Reconciler for Certificates {
    type Step = Step;
    const NAME: &'static str = "acm-certificate";
    // Without acm_certificate_seen: only `act` writes it.
    const WATCHES: &'static [&'static str] = &["acm_certificate", "route53_zone", "route53_record_set"];

    fn concerned(&self, image: &Image, change: &Change) -> BTreeSet<String> {
        if change.table == "acm_certificate" {
            return BTreeSet::from([change.key.clone()]);
        }
        // A record may prove several certificates; only those matter that wait for one.
        let waiting = image.scan::<Certificate>().filter(|row| !image.has::<CertificateSeen>(&row.arn));
        waiting.map(|row| row.arn.to_string()).collect()
    }

    fn all(&self, image: &Image) -> BTreeSet<String> {
        let rows = image.scan::<Certificate>().map(|row| row.arn.to_string());
        rows.chain(image.scan::<CertificateSeen>().map(|row| row.arn.to_string())).collect()
    }

    fn plan(&self, image: &Image, key: &str, now: Timestamp) -> Plan<Step> {
        let seen = image.get::<CertificateSeen>(key);
        let row = image.get::<Certificate>(key);
        let Some((row, renewal)) = row.as_ref().and_then(|row| Some((row, requested(row)?))) else {
            return if seen.is_some() { Plan::Step(Step::Forget) } else { Plan::Done };
        };
        if let Some(seen) = &seen {
            let last = seen.renewed.unwrap_or(seen.issued);
            let due = seen.material.not_after.plus_ms(-RENEW_BEFORE_MS);
            if now < due && renewal.is_none_or(|asked| asked <= last) {
                return Plan::wait_until(due, format!("it is valid; it is renewed {}", due.iso8601()));
            }
        } else if status::is_late(row, now) {
            return Plan::Done;
        }
        match missing(image, &self.config.account, row) {
            Some(why) => Plan::wait_until(row.created.plus_ms(status::VALIDATE_WITHIN_MS), why),
            None => Plan::Step(Step::Issue(leaf(row, now))),
        }
    }

    async fn act(&self, key: &str, step: Step) -> Result<(), StepError> {
        let Step::Issue(leaf) = step else {
            self.store.write(|tx| {
                tx.delete::<CertificateSeen>(key);
                Ok::<(), StoreError>(())
            })?;
            return Ok(());
        };
        let (not_before, not_after) = (leaf.not_before, leaf.not_after);
        let issued = self.authority.issue(Purpose::Browsers, leaf).await?;
        let material = Material {
            certificate_pem: issued.certificate_pem,
            chain_pem: issued.chain_pem,
            key_pem: issued.key_pem,
            not_before,
            not_after,
        };
        let now = self.clock.now();
        self.store.write(|tx| {
            // Deleted meanwhile: a row would remain that nothing removes.
            if tx.has::<Certificate>(key) {
                let first = tx.get::<CertificateSeen>(key).map(|seen| seen.issued);
                let (issued, renewed) = (first.unwrap_or(now), first.map(|_| now));
                tx.put(CertificateSeen { arn: CertificateArn(key.to_owned()), material, issued, renewed });
            }
            Ok::<(), StoreError>(())
        })?;
        Ok(())
    }
}

/// The time of the last request for a renewal; `None` for an imported certificate.
fn requested(row: &Certificate) -> Option<Option<Timestamp>> {
    match row.origin {
        Origin::Requested { renewal, .. } => Some(renewal),
        Origin::Imported { .. } => None,
    }
}

/// The first name that no record proves, as a sentence.
fn missing(image: &Image, account: &str, row: &Certificate) -> Option<String> {
    let proofs = row.names.iter().map(|name| (name, validation::proof(account, name)));
    let (name, proof) = proofs.into_iter().find(|(_, proof)| !validation::is_proven(image, proof))?;
    let zone = validation::zone(image, &proof.name).map(|zone: Arc<HostedZone>| zone.name.to_string());
    Some(match zone {
        Some(zone) => {
            format!("the CNAME record {} that proves {name} is missing in the hosted zone {zone}", proof.name)
        }
        None => format!(
            "the account has no public hosted zone for {name}, which must have the CNAME record {}",
            proof.name
        ),
    })
}

fn leaf(row: &Certificate, now: Timestamp) -> Leaf {
    // The beginning of the day, as AWS does: a client whose clock is some minutes behind accepts it.
    let not_before = Timestamp(now.0 - now.0.rem_euclid(DAY_MS));
    let key = match row.key {
        KeyAlgorithm::P256 => KeyKind::P256,
        KeyAlgorithm::P384 => KeyKind::P384,
        // RequestCertificate refuses the others.
        _ => KeyKind::Rsa2048,
    };
    Leaf { names: row.names.clone(), key, not_before, not_after: not_before.plus_ms(VALID_MS) }
}

#[cfg(test)]
mod tests;
