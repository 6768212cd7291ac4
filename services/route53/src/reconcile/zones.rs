//! Compiles all rows with names to one specification and applies it to the DNS plane.

use super::Parts;
use crate::compile;
use escale_base::Timestamp;
use escale_dns::Spec;
use escale_engine::{Plan, Reconciler, StepError};
use escale_store::{Change as RowChange, Image, Row, StoreError};
use escale_tables::{
    Fingerprint,
    cloudfront::DistributionName,
    cloudwatch::AlarmSeen,
    ec2::{Vpc, VpcId},
    elbv2::{Listener, LoadBalancerName, Rule, Target, TargetSeen},
    rds::RdsEndpoint,
    route53::{ChangeCounter, DnsApplied, HealthCheck, HealthCheckSeen, HostedZone, RecordSet},
};
use sha2::{Digest, Sha256};
use std::{collections::BTreeSet, fmt};

pub(crate) struct Zones(pub(crate) Parts);

pub(crate) struct Apply {
    spec: Spec,
    fingerprint: Fingerprint,
    sequence: u64,
}

impl fmt::Debug for Apply {
    /// Without the records: a log line must not have thousands.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (zones, networks) = (self.spec.public.len(), self.spec.networks.len());
        write!(f, "Apply {{ public zones: {zones}, networks: {networks}, change: {} }}", self.sequence)
    }
}

/// The only key: there is one plane with one specification.
const KEY: &str = "zones";

impl Reconciler for Zones {
    type Step = Apply;
    const NAME: &'static str = "route53-zones";
    const WATCHES: &'static [&'static str] = &[
        AlarmSeen::TABLE,
        ChangeCounter::TABLE,
        DistributionName::TABLE,
        HealthCheck::TABLE,
        HealthCheckSeen::TABLE,
        HostedZone::TABLE,
        Listener::TABLE,
        LoadBalancerName::TABLE,
        RdsEndpoint::TABLE,
        RecordSet::TABLE,
        Rule::TABLE,
        Target::TABLE,
        TargetSeen::TABLE,
        Vpc::TABLE,
    ];

    fn concerned(&self, _: &Image, _: &RowChange) -> BTreeSet<String> {
        BTreeSet::from([KEY.to_owned()])
    }

    fn all(&self, _: &Image) -> BTreeSet<String> {
        BTreeSet::from([KEY.to_owned()])
    }

    fn plan(&self, image: &Image, _: &str, _: Timestamp) -> Plan<Apply> {
        let spec = compile::spec(image, &self.0.config, &self.0.endpoints);
        let fingerprint = fingerprint(&spec);
        let sequence = image.get::<ChangeCounter>(ChangeCounter::KEY).map_or(0, |c| c.last);
        let applied = image.get::<DnsApplied>(DnsApplied::KEY).filter(|a| a.run == self.0.run);
        match applied {
            Some(a) if a.fingerprint == fingerprint && a.sequence == sequence => Plan::Done,
            _ => Plan::Step(Apply { spec, fingerprint, sequence }),
        }
    }

    async fn act(&self, _: &str, step: Apply) -> Result<(), StepError> {
        let networks = step.spec.networks.keys().map(|id| VpcId::from(id.as_str())).collect();
        // Recorded only after the plane has it: GetChange reports INSYNC from this row.
        self.0.dns.apply(step.spec).await?;
        let (run, at) = (self.0.run.clone(), self.0.clock.now());
        let row = DnsApplied { run, fingerprint: step.fingerprint, sequence: step.sequence, networks, at };
        Ok(self.0.store.write(|tx| {
            tx.put(row);
            Ok::<_, StoreError>(())
        })?)
    }
}

/// A hash of the specification, comparable only within one run.
fn fingerprint(spec: &Spec) -> Fingerprint {
    Fingerprint(hex::encode(Sha256::digest(format!("{spec:?}"))))
}
