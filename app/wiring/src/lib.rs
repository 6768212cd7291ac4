//! The only place that names every service, a line each, and connects it to its planes.
//!
//! The caller chooses the planes: the daemon opens real ones (`app/src/planes.rs`), the simulation uses fakes (`tests/sim`).
//! This crate opens no files, listens nowhere and reads no environment variables.
//!
//! Start at [`Services::cloud`] for the services that answer requests, and at [`start`] for their reconcilers.

use anyhow::{Context, Result};
use escale_authority::Authority;
use escale_base::{Clock, Secret};
use escale_cdn::Cdn;
use escale_cloudtrail::{CloudTrail, Trail};
use escale_cloudwatch::{CloudWatch, Monitor};
use escale_containers::Containers;
use escale_dns::Dns;
use escale_ecr::Ecr;
use escale_engine::Engine;
use escale_iam::Iam;
use escale_journal::Journal;
use escale_logs::{Logs, LogsService};
use escale_logstore::LogStore;
use escale_metrics::Metrics;
use escale_network::{InternetHost, Network};
use escale_objects::Objects;
use escale_proxy::Proxies;
use escale_registry::Registry;
use escale_route53::Route53;
use escale_s3::S3;
use escale_service::{Cloud, Config, Mount, Service};
use escale_store::Store;
use escale_upstream::Upstream;
use std::{path::PathBuf, sync::Arc};

/// The planes that services hold, because their operations read from them.
pub struct DataPlanes {
    pub dns: Arc<dyn Dns>,
    pub logs: Arc<dyn LogStore>,
    pub metrics: Arc<dyn Metrics>,
    pub objects: Arc<dyn Objects>,
    pub registry: Arc<dyn Registry>,
    /// The record of API calls: `calls` has the allowed ones, `denials` the denied ones.
    pub calls: Arc<dyn Journal>,
    pub denials: Arc<dyn Journal>,
}

/// The planes that only reconcilers use.
pub struct Planes {
    pub network: Arc<dyn Network>,
    pub containers: Arc<dyn Containers>,
    /// The plane, or the reason that no database can run here, which `CreateDBInstance` reports.
    pub postgres: escale_rds::Plane,
    /// The installed major versions of PostgreSQL.
    pub postgres_majors: Vec<u32>,
    pub proxies: Arc<dyn Proxies>,
    pub cdn: Arc<dyn Cdn>,
    /// Registries on the Internet.
    pub upstream: Arc<dyn Upstream>,
    /// Issues certificates.
    pub authority: Arc<dyn Authority>,
    /// The file of certificates that tasks trust.
    pub ca_bundle: PathBuf,
    /// Hosts on the cloud's Internet that belong to no VPC.
    pub internet_hosts: Vec<InternetHost>,
}

/// The account's root key.
#[derive(Debug)]
pub struct RootKey {
    pub id: String,
    pub secret: Secret<String>,
}

/// The services that hold a plane. [`Services::cloud`] creates the others.
pub struct Services {
    ecr: Arc<Ecr>,
    logs: Arc<Logs>,
    monitor: Arc<Monitor>,
    route53: Arc<Route53>,
    s3: Arc<S3>,
    planes: DataPlanes,
}

impl Services {
    pub fn new(planes: DataPlanes) -> Services {
        Services {
            ecr: Arc::new(Ecr::new(Arc::clone(&planes.registry))),
            logs: Logs::new(Arc::clone(&planes.logs)),
            monitor: Monitor::new(Arc::clone(&planes.metrics)),
            route53: Arc::new(Route53::new(Arc::clone(&planes.dns))),
            s3: Arc::new(S3::new(Arc::clone(&planes.objects))),
            planes,
        }
    }

    /// Creates the cloud with every service.
    pub fn cloud(&self, config: Config, root: RootKey, clock: Clock) -> Cloud {
        let iam = Iam {
            root_key: root.id,
            root_secret: root.secret,
            account: config.account.clone(),
            region: config.region.clone(),
            clock: clock.clone(),
        };
        let (calls, denials) = (Arc::clone(&self.planes.calls), Arc::clone(&self.planes.denials));
        let trail = Trail::new(calls, denials, &config.account, &config.region);
        let services: Vec<Arc<dyn Service>> = vec![
            Arc::new(escale_acm::Acm),
            Arc::new(escale_application_autoscaling::ApplicationAutoScaling),
            Arc::new(escale_cloudformation::CloudFormation),
            Arc::new(escale_cloudfront::CloudFront),
            Arc::new(CloudTrail(Arc::clone(&trail))),
            Arc::new(CloudWatch(Arc::clone(&self.monitor))),
            Arc::new(escale_ec2::Ec2),
            Arc::clone(&self.ecr) as _,
            Arc::new(escale_ecs::Ecs),
            Arc::new(escale_elbv2::Elbv2),
            Arc::new(iam.clone()),
            Arc::new(LogsService(Arc::clone(&self.logs))),
            Arc::new(escale_rds::Rds),
            Arc::clone(&self.route53) as _,
            Arc::clone(&self.s3) as _,
            Arc::new(escale_secretsmanager::SecretsManager),
            Arc::new(escale_servicediscovery::ServiceDiscovery),
            Arc::new(escale_sns::Sns),
            Arc::new(escale_ssm::Ssm),
            Arc::new(escale_sts::Sts),
        ];
        Cloud::new(Arc::new(config), clock, Arc::new(iam), services).with_audit(trail)
    }

    /// The handlers at the gate for protocols other than AWS's API.
    pub fn mounts(&self, store: &Store, cloud: &Arc<Cloud>) -> Vec<Arc<dyn Mount>> {
        vec![
            escale_ecr::door(store.clone(), Arc::clone(cloud), self.ecr.repositories()),
            escale_cloudformation::signals(store, cloud),
            escale_sns::pages(store, cloud),
            self.s3.form_uploads(store, cloud),
        ]
    }

    /// The websites of buckets, for a listener of their own.
    pub fn websites(&self, store: &Store, cloud: &Arc<Cloud>) -> Arc<dyn Mount> {
        self.s3.websites(store, cloud)
    }
}

/// Starts the reconcilers of every service.
pub async fn start(
    engine: &mut Engine,
    store: &Store,
    cloud: &Arc<Cloud>,
    services: &Services,
    planes: Planes,
) -> Result<()> {
    let (network, data) = (|| Arc::clone(&planes.network), &services.planes);

    let measured = escale_cloudwatch::Planes {
        metrics: Arc::clone(&data.metrics),
        containers: Arc::clone(&planes.containers),
        proxies: Arc::clone(&planes.proxies),
        cdn: Arc::clone(&planes.cdn),
        objects: Arc::clone(&data.objects),
        network: network(),
        postgres: planes.postgres.as_ref().ok().map(|(plane, _)| Arc::clone(plane)),
    };
    escale_cloudwatch::start(engine, store, cloud, measured);
    escale_application_autoscaling::start(engine, store, cloud);
    let messages = escale_sns::Planes {
        network: network(),
        dns: Arc::clone(&data.dns),
        authority: Arc::clone(&planes.authority),
    };
    escale_sns::start(engine, store, cloud, messages);
    let cdn = escale_cloudfront::Planes { cdn: planes.cdn, authority: Arc::clone(&planes.authority) };
    escale_cloudfront::start(engine, store, cloud, cdn).context("cannot start CloudFront")?;
    escale_acm::start(engine, store, cloud, escale_acm::Planes { authority: planes.authority });
    let networks = escale_ec2::Planes { network: network(), internet_hosts: planes.internet_hosts };
    escale_ec2::start(engine, store, cloud, networks).await.context("cannot start EC2")?;
    let names = escale_route53::Planes { dns: Arc::clone(&data.dns), network: network() };
    escale_route53::start(engine, store, cloud, names);
    let proxies = escale_elbv2::Planes { proxies: planes.proxies };
    escale_elbv2::start(engine, store, cloud, proxies).context("cannot start Elastic Load Balancing")?;
    let repositories = escale_ecr::Planes { repositories: services.ecr.repositories() };
    escale_ecr::start(engine, store, cloud, repositories);
    let (containers, registry) = (planes.containers, Arc::clone(&data.registry));
    let (upstream, ca_bundle) = (planes.upstream, planes.ca_bundle);
    let tasks = escale_ecs::Planes { containers, registry, upstream, network: network(), ca_bundle };
    escale_ecs::start(engine, store, cloud, tasks);
    escale_logs::start(engine, store, escale_logs::Planes { logs: Arc::clone(&data.logs) });
    let objects =
        escale_s3::Planes { buckets: services.s3.buckets(), access_logs: services.s3.access_logs() };
    escale_s3::start(engine, store, cloud, objects);
    escale_secretsmanager::start(engine, store);
    let databases = escale_rds::Planes { postgres: planes.postgres, majors: planes.postgres_majors };
    escale_rds::start(engine, store, cloud, databases);
    escale_cloudformation::start(engine, store, cloud);
    Ok(())
}
