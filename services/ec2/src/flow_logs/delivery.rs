//! Reads the counted packets and writes them into log streams, under the role of each flow log, or into buckets.

use super::{
    PRINCIPAL, WINDOW_MS, bucket, covers, format,
    format::{Content, Window, line},
    group_of, vpc_of,
};
use escale_base::{AwsError, ErrorKind, Timestamp, error::Fault};
use escale_network::{FlowCount, Flows, Network};
use escale_requests::{
    logs::{CreateLogGroup, CreateLogStream, LogEvent, PutLogEvents},
    sts::AssumeRole,
};
use escale_service::{Caller, Cloud, Principal, Request, request};
use escale_store::{Store, StoreError};
use escale_tables::ec2::{
    FlowLog, FlowLogFailure, FlowLogId, FlowLogSeen, Interface, InterfaceId, InterfaceSeen,
    LogDestinationType, TrafficType, VpcId,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Lines of one request: fewer than its 1 MiB can hold, of the longest format.
const BATCH: usize = 1_500;

/// Lines of one file: fewer than AWS's 75 MB can hold.
const FILE: usize = 100_000;

/// The shortest session of a role, in seconds.
const SESSION_SECS: i64 = 900;
/// A session is renewed when it has less than this left.
const RENEW_MS: i64 = 60_000;

pub(super) struct Delivery {
    store: Store,
    cloud: Arc<Cloud>,
    network: Arc<dyn Network>,
    /// The end of the last window.
    since: Option<Timestamp>,
    /// The interfaces of the last window: the packets of one that was removed meanwhile are still delivered.
    interfaces: BTreeMap<InterfaceId, Arc<Interface>>,
    sessions: BTreeMap<FlowLogId, (Caller, Timestamp)>,
}

/// The counted packets of a window.
struct Counted {
    flows: BTreeMap<VpcId, Flows>,
    interfaces: BTreeMap<InterfaceId, Arc<Interface>>,
    /// Those whose packets can flow.
    up: BTreeSet<InterfaceId>,
    start: Timestamp,
    end: Timestamp,
}

impl Delivery {
    pub(super) fn new(store: Store, cloud: Arc<Cloud>, network: Arc<dyn Network>) -> Delivery {
        let (interfaces, sessions) = Default::default();
        Delivery { store, cloud, network, since: None, interfaces, sessions }
    }

    /// Nothing is counted any more.
    pub(super) fn pause(&mut self) {
        self.since = None;
        self.interfaces.clear();
        self.sessions.clear();
        self.forget(&[]);
    }

    /// Delivers what was counted since the last call.
    pub(super) async fn run(&mut self, logs: &[Arc<FlowLog>]) {
        let counted = self.read(logs).await;
        for log in logs {
            // It may have been deleted meanwhile.
            if !self.store.read().has::<FlowLog>(log.id.as_str()) {
                continue;
            }
            let failure = match self.write(log, &counted).await {
                Ok(()) => None,
                Err(error) => {
                    tracing::warn!(flow_log = %log.id, %error, "the records of a flow log could not be delivered");
                    Some(failure_of(&error))
                }
            };
            self.record(log, failure);
        }
        self.forget(logs);
    }

    async fn read(&mut self, logs: &[Arc<FlowLog>]) -> Counted {
        let (current, up, vpcs) = {
            let image = self.store.read();
            let current: BTreeMap<_, _> = image.scan::<Interface>().map(|i| (i.id.clone(), i)).collect();
            let up: BTreeSet<_> = image.scan::<InterfaceSeen>().map(|i| i.id.clone()).collect();
            let vpcs: BTreeSet<VpcId> = logs.iter().filter_map(|log| vpc_of(&image, log)).collect();
            (current, up, vpcs)
        };
        let mut flows = BTreeMap::new();
        for vpc in vpcs {
            match self.network.take_flows(vpc.as_str()).await {
                Ok(taken) => drop(flows.insert(vpc, taken)),
                // The VPC has no network yet.
                Err(error) if error.fault == Fault::Asked => {}
                Err(error) => tracing::warn!(%vpc, %error, "the counted packets cannot be read"),
            }
        }
        let end = self.cloud.clock.now();
        let window_ms = WINDOW_MS / self.cloud.config.clock_speed;
        let start = self.since.replace(end).unwrap_or_else(|| end.plus_ms(-window_ms));
        let mut interfaces = std::mem::replace(&mut self.interfaces, current.clone());
        interfaces.extend(current);
        Counted { flows, interfaces, up, start, end }
    }

    async fn write(&mut self, log: &FlowLog, counted: &Counted) -> Result<(), AwsError> {
        match log.destination_type {
            LogDestinationType::S3 => self.write_file(log, counted).await,
            _ => self.write_streams(log, counted).await,
        }
    }

    /// The records of all interfaces together.
    async fn write_file(&self, log: &FlowLog, counted: &Counted) -> Result<(), AwsError> {
        let mut lines = Vec::new();
        for interface in counted.interfaces.values().filter(|i| covers(log, i)) {
            if let Some(flows) = counted.flows.get(&interface.vpc) {
                lines.extend(self.lines(log, interface, (flows, counted)));
            }
        }
        for file in lines.chunks(FILE) {
            bucket::put(&self.store, &self.cloud, log, file, counted.end).await?;
        }
        Ok(())
    }

    async fn write_streams(&mut self, log: &FlowLog, counted: &Counted) -> Result<(), AwsError> {
        let mut role = None;
        for interface in counted.interfaces.values().filter(|i| covers(log, i)) {
            let Some(flows) = counted.flows.get(&interface.vpc) else { continue };
            let lines = self.lines(log, interface, (flows, counted));
            if lines.is_empty() {
                continue;
            }
            let role = match &role {
                Some(role) => role,
                None => role.insert(self.role(log).await?),
            };
            let stream = format!("{}-{}", interface.id, log.traffic.as_str().to_lowercase());
            for batch in lines.chunks(BATCH) {
                self.put(log, role, &stream, (batch, counted.start)).await?;
            }
        }
        Ok(())
    }

    fn lines(
        &self,
        log: &FlowLog,
        interface: &Interface,
        (flows, counted): (&Flows, &Counted),
    ) -> Vec<String> {
        let config = &self.cloud.config;
        let window = Window {
            format: log.format.as_ref().map_or(format::DEFAULT, |f| f.as_str()),
            account: &config.account,
            region: &config.region,
            interface,
            start: counted.start.max(log.created).min(counted.end),
            end: counted.end,
        };
        let of_interface = |flow: &&FlowCount| flow.interface == interface.id.as_str();
        let all: Vec<&FlowCount> = flows.counts.iter().filter(of_interface).collect();
        let wanted = all.iter().filter(|flow| match log.traffic {
            TrafficType::All => true,
            TrafficType::Accept => flow.accepted,
            TrafficType::Reject => !flow.accepted,
        });
        let mut lines: Vec<String> = wanted.map(|flow| line(&window, &Content::Flow(flow))).collect();
        let is_up = counted.up.contains(&interface.id);
        if flows.skipped && is_up {
            lines.push(line(&window, &Content::SkipData));
        } else if all.is_empty() && is_up {
            lines.push(line(&window, &Content::NoData));
        }
        lines
    }

    /// The flow log's role, if it trusts the service.
    async fn role(&mut self, log: &FlowLog) -> Result<Caller, AwsError> {
        let now = self.cloud.clock.now();
        if let Some((caller, until)) = self.sessions.get(&log.id)
            && until.since_ms(now) > RENEW_MS
        {
            return Ok(caller.clone());
        }
        let role_arn = log.role_arn.as_ref().map(ToString::to_string).unwrap_or_default();
        let name = role_arn.rsplit('/').next().unwrap_or_default().to_owned();
        let source_arn = self.arn(log);
        let service = Caller {
            principal: Principal::OnBehalf { service: PRINCIPAL.to_owned(), source_arn },
            ..Caller::service(PRINCIPAL)
        };
        let session = log.id.to_string();
        let assume =
            AssumeRole { role_arn, role_session_name: session.clone(), duration_seconds: SESSION_SECS };
        let assumed = request(&self.cloud, &self.store, &service, assume).await?;
        let id = assumed.assumed_role_user.assumed_role_id;
        let role_id = id.split(':').next().unwrap_or_default().to_owned();
        let caller =
            Caller { principal: Principal::Role { name, session, role_id }, ..Caller::service(PRINCIPAL) };
        self.sessions.insert(log.id.clone(), (caller.clone(), assumed.credentials.expiration));
        Ok(caller)
    }

    fn arn(&self, log: &FlowLog) -> String {
        let config = &self.cloud.config;
        let resource = format!("vpc-flow-log/{}", log.id);
        escale_base::Arn::new("ec2", &config.region, &config.account, resource).to_string()
    }

    /// Writes lines; makes the group and the stream when they are missing, as AWS does.
    async fn put(
        &self,
        log: &FlowLog,
        role: &Caller,
        stream: &str,
        (lines, at): (&[String], Timestamp),
    ) -> Result<(), AwsError> {
        let by_arn = || group_of(&self.cloud.config, log.destination.as_ref()?);
        let log_group_name = log.log_group.as_ref().map(ToString::to_string).or_else(by_arn);
        let log_group_name = log_group_name.ok_or_else(AwsError::internal)?;
        let log_stream_name = stream.to_owned();
        let event = |line: &String| LogEvent { timestamp: at.0, message: line.clone() };
        let put = PutLogEvents {
            log_group_name: log_group_name.clone(),
            log_stream_name: log_stream_name.clone(),
            log_events: lines.iter().map(event).collect(),
        };
        match self.call(role, put.clone()).await {
            Err(e) if e.kind == ErrorKind::NotFound => {}
            done => return done,
        }
        let existing_is_fine = |made: Result<(), AwsError>| match made {
            Err(e) if e.kind == ErrorKind::AlreadyExists => Ok(()),
            other => other,
        };
        let make = CreateLogStream { log_group_name: log_group_name.clone(), log_stream_name };
        match self.call(role, make.clone()).await {
            Err(e) if e.kind == ErrorKind::NotFound => {
                existing_is_fine(self.call(role, CreateLogGroup { log_group_name }).await)?;
                existing_is_fine(self.call(role, make).await)?;
            }
            other => existing_is_fine(other)?,
        }
        self.call(role, put).await
    }

    async fn call<R: Request>(&self, role: &Caller, asked: R) -> Result<R::Answer, AwsError> {
        request(&self.cloud, &self.store, role, asked).await
    }

    /// An unchanged row is not written.
    fn record(&self, log: &FlowLog, failure: Option<FlowLogFailure>) {
        let seen = FlowLogSeen { id: log.id.clone(), failure };
        if self.store.read().get::<FlowLogSeen>(log.id.as_str()).is_some_and(|row| *row == seen) {
            return;
        }
        self.store_change(|tx| {
            if tx.has::<FlowLog>(seen.id.as_str()) {
                tx.put(seen);
            }
        });
    }

    /// Deletes what was observed of flow logs that no longer exist.
    fn forget(&mut self, logs: &[Arc<FlowLog>]) {
        self.sessions.retain(|id, _| logs.iter().any(|log| log.id == *id));
        let image = self.store.read();
        let gone: Vec<String> = image
            .scan::<FlowLogSeen>()
            .filter(|seen| !image.has::<FlowLog>(seen.id.as_str()))
            .map(|seen| seen.id.to_string())
            .collect();
        drop(image);
        if !gone.is_empty() {
            self.store_change(|tx| {
                for id in &gone {
                    tx.delete::<FlowLogSeen>(id);
                }
            });
        }
    }

    fn store_change(&self, change: impl FnOnce(&mut escale_store::Tx)) {
        let written = self.store.write(|tx| {
            change(tx);
            Ok::<(), StoreError>(())
        });
        if let Err(error) = written {
            tracing::warn!(%error, "the state of flow logs could not be stored");
        }
    }
}

fn failure_of(error: &AwsError) -> FlowLogFailure {
    match error.kind {
        ErrorKind::Denied => FlowLogFailure::AccessError,
        ErrorKind::Throttled => FlowLogFailure::RateLimited,
        _ => FlowLogFailure::UnknownError,
    }
}
