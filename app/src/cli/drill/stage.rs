//! The course of a drill: steady state, load, fault, users fine again, fault lifted, steady state.

use super::{
    Defect, Drill, Failure, Kind,
    bad_deploy::BadDeploy,
    egress::Egress,
    fault::Harm,
    guardian::Guardian,
    load::{Load, Sample, Site},
    report::Figures,
    rows::{Writers, Written},
    targets::{self, Finder, Target},
    timeline::{self, Cloud, Entry, Observer},
};
use crate::{
    cli::{application::Application, client::Client},
    home::Home,
};
use anyhow::{Context, Result, bail};
use escale_base::{Clock, Timestamp};
use escale_wire::Element;
use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

/// An application that is not steady after this time is not drilled.
const STEADY_WITHIN: Duration = Duration::from_secs(120);

/// Load before the fault. A request that fails in it ends the drill: the figures would not be those of the fault.
const BEFORE: Duration = Duration::from_secs(5);

/// Users are fine when nothing has failed for this time.
const CALM: Duration = Duration::from_secs(5);

/// A fault is lifted after this time also while users are not fine.
const HELD_AT_MOST: Duration = Duration::from_secs(300);

/// A standby may be copied anew, and tasks are started again.
const SETTLED_WITHIN: Duration = Duration::from_secs(300);

const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// How much more load `load` makes.
const TIMES: u32 = 10;

pub(super) struct Stage<'a> {
    pub(super) home: &'a Home,
    pub(super) drill: &'a Drill,
    pub(super) client: Client,
    pub(super) application: Application,
    pub(super) database: Option<Element>,
    /// An address on the Internet that tasks reach through a NAT gateway.
    pub(super) api: Ipv4Addr,
    /// Whether a person waits.
    pub(super) talks: bool,
}

/// What is broken now.
enum Broken {
    Target(Guardian, Box<Target>),
    Deployment(BadDeploy),
    Overload,
}

/// What clients do meanwhile.
struct Clients {
    load: Load,
    writers: Option<Writers>,
    egress: Option<Egress>,
}

impl Clients {
    /// Whether nothing has failed for a while.
    fn are_fine(&self) -> bool {
        let Some(since) = Instant::now().checked_sub(CALM) else { return false };
        let writes = |w: &Writers| {
            // In each second of the time.
            (1..=CALM.as_secs())
                .all(|s| w.acknowledged_between(Duration::from_secs(s), Duration::from_secs(s - 1)))
        };
        !self.load.has_failed_since(since) && self.writers.as_ref().is_none_or(writes)
    }
}

impl Stage<'_> {
    pub(super) async fn play(&self) -> Result<Figures> {
        let clock = Clock::machine();
        let database = self.database.as_ref().map(|d| d.text_of("DBInstanceIdentifier").to_owned());
        let (client, application) = (self.client.clone(), self.application.clone());
        let cloud = Cloud { client, application, database };
        self.say("Waiting for the steady state …");
        self.until_steady(&cloud).await?;
        let target = self.target().await?;
        let clients = self.clients(target.as_ref()).await?;
        self.say(&format!("Sending {} requests per second to {} …", self.drill.rate, self.application.url));
        let begun = Instant::now();
        let observer = Observer::start(cloud.clone(), clock.clone()).await;
        tokio::time::sleep(BEFORE).await;
        if let Some(failed) = clients.load.samples().iter().find_map(|s| s.error.clone()) {
            bail!("a request failed before the drill began, so its figures would mean nothing: {failed}");
        }
        let (fault, fault_at) = (Instant::now(), clock.now());
        let (broken, name) = self.break_it(target, &clients).await?;
        let mut entries = vec![Entry { at: fault_at, by: "drill", what: name.clone() }];
        self.say(&format!("Broken: {name}. Waiting until users are fine …"));
        let is_fine = self.until_fine(&broken, &clients, fault).await?;
        self.lift(broken, &clients).await?;
        let lifted = Instant::now();
        self.say("Waiting for the steady state …");
        if self.is_lifted() {
            entries.push(Entry { at: clock.now(), by: "drill", what: "the fault is lifted".into() });
        }
        let settled = until_settled(&cloud, &clients).await;
        let settled = settled.then(Instant::now);
        if settled.is_some() {
            entries.push(Entry {
                at: clock.now(),
                by: "drill",
                what: "everything is in its normal state".into(),
            });
        }
        entries.extend(observer.entries().into_iter().filter(|e| e.at >= fault_at));
        drop(observer);
        let (samples, written, egress) = end(clients).await?;
        let fine = is_fine.then(|| last_failure(&samples, written.as_ref(), fault, lifted));
        entries.extend(of_users(&samples, fault, fault_at, fine));
        entries.sort_by_key(|e| e.at);
        Ok(Figures {
            kind: self.drill.kind,
            application: self.application.app.clone(),
            name,
            begun,
            fault,
            fault_at,
            lifted,
            users_fine: fine.map(|at| at.saturating_duration_since(fault)),
            settled: settled.map(|at| at.saturating_duration_since(fault)),
            samples,
            written,
            egress,
            timeline: entries,
        })
    }

    /// A server that was killed is not brought back by the drill, nor is a deployment undone by it.
    fn is_lifted(&self) -> bool {
        match self.drill.kind {
            Kind::Task | Kind::DeployBad => false,
            Kind::Db => self.drill.failure != Failure::Kill,
            Kind::Az | Kind::Nat | Kind::Load => true,
        }
    }

    /// On stderr, which scripts do not read.
    fn say(&self, what: &str) {
        if self.talks {
            eprintln!("{what}");
        }
    }

    async fn until_steady(&self, cloud: &Cloud) -> Result<()> {
        let mut why = String::new();
        let steady = async {
            while let Some(reason) = cloud.unsettled().await? {
                why = reason;
                tokio::time::sleep(LOOK_AGAIN).await;
            }
            anyhow::Ok(())
        };
        let Ok(steady) = tokio::time::timeout(STEADY_WITHIN, steady).await else {
            bail!("{} is not in a steady state, so it is not drilled: {why}", self.application.app);
        };
        steady
    }

    async fn target(&self) -> Result<Option<Target>> {
        let (home, client, application) = (self.home, &self.client, &self.application);
        let find = Finder { home, client, application, database: self.database.as_ref() };
        let zone = self.drill.zone.as_deref();
        Ok(Some(match self.drill.kind {
            Kind::Task => find.task(self.drill.service.as_deref()).await?,
            Kind::Az => find.zone(zone).await?,
            Kind::Nat => find.nat(zone).await?,
            Kind::Db => match self.drill.failure {
                Failure::Kill => find.primary(Harm::Kill, false).await?,
                Failure::Freeze => find.primary(Harm::Stop, false).await?,
                Failure::Cut => find.primary(Harm::Nothing, true).await?,
            },
            Kind::DeployBad | Kind::Load => return Ok(None),
        }))
    }

    async fn clients(&self, target: Option<&Target>) -> Result<Clients> {
        let none = BTreeSet::new();
        let broken = target.map_or(&none, |t| &t.interfaces);
        let site = Site::new(&self.application.url, self.paths().await?)?;
        if let Some(error) = site.sample(0).await.error {
            bail!("{} does not answer: {error}", self.application.url);
        }
        let writers = match &self.database {
            Some(instance) => {
                let started = Writers::start(self.home, &self.client, &self.application, instance, broken);
                Some(started.await?)
            }
            None => None,
        };
        let egress = match target.filter(|_| self.drill.kind == Kind::Nat) {
            Some(target) => {
                let to = SocketAddr::from((self.api, 443));
                Some(Egress::start(self.home, &self.client, &self.application, &target.zone, to).await?)
            }
            None => None,
        };
        Ok(Clients { load: Load::start(site, self.drill.rate), writers, egress })
    }

    /// The paths of the command, else `/` and the paths of the health checks, which reach every service.
    async fn paths(&self) -> Result<Vec<String>> {
        if !self.drill.path.is_empty() {
            return Ok(self.drill.path.clone());
        }
        let arns = timeline::group_arns(&self.client, &self.application).await?;
        let numbered: Vec<_> = arns
            .iter()
            .zip(1..)
            .map(|(arn, n)| (format!("TargetGroupArns.member.{n}"), arn.clone()))
            .collect();
        let found = self.client.query("elbv2", "DescribeTargetGroups", &numbered).await?;
        let checks = found.list("TargetGroups").iter().map(|g| g.text_of("HealthCheckPath").to_owned());
        let paths: BTreeSet<String> = checks.filter(|p| !p.is_empty()).chain(["/".to_owned()]).collect();
        Ok(paths.into_iter().collect())
    }

    async fn break_it(&self, target: Option<Target>, clients: &Clients) -> Result<(Broken, String)> {
        if let Some(target) = target {
            let name = target.name.clone();
            let guardian = Guardian::inject(self.home, target.fault.clone()).await?;
            return Ok((Broken::Target(guardian, Box::new(target)), name));
        }
        if self.drill.kind == Kind::Load {
            let rate = self.drill.rate * TIMES;
            clients.load.set_rate(rate);
            return Ok((
                Broken::Overload,
                format!("{rate} requests per second instead of {}", self.drill.rate),
            ));
        }
        let service = match &self.drill.service {
            Some(service) => service.clone(),
            None => {
                let all = timeline::services(&self.client, &self.application).await?;
                let names = all.iter().filter_map(|s| s["serviceName"].as_str());
                names.min().context("the application has no service")?.to_owned()
            }
        };
        let defect = self.drill.defect;
        let bad = BadDeploy::start(&self.client, &self.application, &service, defect).await?;
        let what = match defect {
            Defect::MissingImage => "an image that does not exist",
            Defect::Unhealthy => "a version whose health checks fail",
        };
        Ok((Broken::Deployment(bad), format!("the service {service} is updated to {what}")))
    }

    /// Whether users were fine, and a broken deployment was undone, within the limit.
    async fn until_fine(&self, broken: &Broken, clients: &Clients, fault: Instant) -> Result<bool> {
        let hold = Duration::from_secs(self.drill.hold.into());
        loop {
            tokio::time::sleep(LOOK_AGAIN).await;
            // The API may not answer for a moment.
            let is_done = match broken {
                Broken::Target(guardian, target) => {
                    self.extend(guardian, target).await;
                    true
                }
                Broken::Deployment(bad) => bad.is_undone().await.unwrap_or(false),
                Broken::Overload => true,
            };
            if is_done && fault.elapsed() > hold && clients.are_fine() {
                return Ok(true);
            }
            if fault.elapsed() > HELD_AT_MOST {
                return Ok(false);
            }
        }
    }

    /// Whatever is started in a lost zone is lost, too.
    async fn extend(&self, guardian: &Guardian, target: &Target) {
        if target.later.is_empty() {
            return;
        }
        let filters: Vec<_> = target.later.iter().map(|(name, value)| (*name, value.clone())).collect();
        let found = targets::interfaces(&self.client, &filters).await.unwrap_or_default();
        guardian.extend(found.iter().filter_map(|i| targets::path(self.home, i).ok()));
    }

    async fn lift(&self, broken: Broken, clients: &Clients) -> Result<()> {
        match broken {
            Broken::Target(guardian, _) => guardian.lift().await,
            Broken::Deployment(bad) => bad.end().await,
            Broken::Overload => {
                clients.load.set_rate(self.drill.rate);
                Ok(())
            }
        }
    }
}

async fn until_settled(cloud: &Cloud, clients: &Clients) -> bool {
    let settled = async {
        loop {
            if matches!(cloud.unsettled().await, Ok(None)) && clients.are_fine() {
                return;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    tokio::time::timeout(SETTLED_WITHIN, settled).await.is_ok()
}

async fn end(clients: Clients) -> Result<(Vec<Sample>, Option<Written>, Option<Vec<(Instant, bool)>>)> {
    let samples = clients.load.stop().await;
    let written = match clients.writers {
        Some(writers) => Some(writers.stop().await?),
        None => None,
    };
    Ok((samples, written, clients.egress.map(Egress::stop)))
}

/// A pause of the acknowledgements that a user notices.
const PAUSE: Duration = Duration::from_secs(1);

/// When users were fine: the end of the last failure during the fault, or the fault itself if nothing failed.
fn last_failure(samples: &[Sample], written: Option<&Written>, fault: Instant, lifted: Instant) -> Instant {
    let ends = samples.iter().filter(|s| s.error.is_some()).map(|s| s.begun + s.took);
    let acknowledged = written.map_or(&[][..], |w| &w.acknowledged);
    let pauses = acknowledged.windows(2).filter(|w| w[1] - w[0] > PAUSE).map(|w| w[1]);
    ends.chain(pauses).filter(|at| *at > fault && *at < lifted).max().unwrap_or(fault)
}

fn of_users(samples: &[Sample], fault: Instant, fault_at: Timestamp, fine: Option<Instant>) -> Vec<Entry> {
    let at = |moment: Instant| {
        let ms = moment.saturating_duration_since(fault).as_millis();
        fault_at.plus_ms(i64::try_from(ms).unwrap_or(i64::MAX))
    };
    let mut failed: Vec<&Sample> = samples.iter().filter(|s| s.error.is_some()).collect();
    failed.sort_by_key(|s| s.begun + s.took);
    let first = failed.first().map(|s| Entry {
        at: at(s.begun + s.took),
        by: "users",
        what: format!("the first failed request: {}", s.error.as_deref().unwrap_or_default()),
    });
    let fine = fine.map(|moment| Entry {
        at: at(moment),
        by: "users",
        what: if moment == fault { "no failure is noticed" } else { "fine again" }.to_owned(),
    });
    first.into_iter().chain(fine).collect()
}
