//! The only place that names every service and every plane, a line each.

use crate::{home::Home, settings::Settings};
use anyhow::{Context, Result, bail};
use escale_base::{Clock, Secret};
use escale_ecr::Ecr;
use escale_engine::Engine;
use escale_gate::Gate;
use escale_iam::Iam;
use escale_objects::Objects;
use escale_registry::Registry;
use escale_s3::S3;
use escale_service::{Cloud, Mount, Service};
use escale_store::Store;
use std::sync::Arc;
use tokio::{net::TcpListener, task::JoinSet};

/// The running cloud; dropping it ends what it serves, not what it runs.
pub(crate) struct Running {
    _engine: Engine,
    _listeners: JoinSet<()>,
}

pub(crate) async fn start(home: &Home, settings: &Settings) -> Result<Running> {
    let listener = TcpListener::bind(&settings.config.endpoint)
        .await
        .with_context(|| format!("cannot listen on {}", settings.config.endpoint))?;
    let store = Store::open(&home.state(), &escale_tables::all()).context("cannot open the state")?;
    let clock = Clock::machine();
    let s3 = S3::new(objects(home, &clock)?);
    let buckets = s3.buckets();
    let ecr = Ecr::new(registry(home, &clock)?);
    let repositories = ecr.repositories();
    let cloud = Arc::new(cloud(settings, clock.clone(), s3, ecr));
    if cfg!(debug_assertions) {
        let faults = escale_gate::check_against_models(&cloud);
        if !faults.is_empty() {
            bail!("services and models disagree:\n  {}", faults.join("\n  "));
        }
    }
    let mut engine = Engine::new(store.clone(), clock.clone());
    escale_s3::start(&mut engine, store.clone(), clock.clone(), buckets);
    let account = settings.config.account.clone();
    escale_ecr::start(&mut engine, store.clone(), clock, account, Arc::clone(&repositories));
    let mounts: Vec<Arc<dyn Mount>> = vec![escale_ecr::door(store.clone(), Arc::clone(&cloud), repositories)];
    let gate = Arc::new(Gate::new(cloud, store, mounts));
    let mut listeners = JoinSet::new();
    listeners.spawn(escale_gate::serve(gate, listener));
    Ok(Running { _engine: engine, _listeners: listeners })
}

fn objects(home: &Home, clock: &Clock) -> Result<Arc<dyn Objects>> {
    let settings = escale_objects::Settings {
        root: home.plane("objects"),
        clock: clock.clone(),
        durability: escale_objects::Durability::Power,
        limits: escale_objects::Limits::default(),
    };
    Ok(Arc::new(escale_objects::Store::open(settings).context("cannot open the objects")?))
}

fn registry(home: &Home, clock: &Clock) -> Result<Arc<dyn Registry>> {
    let settings = escale_registry::Settings { root: home.plane("images"), clock: clock.clone() };
    Ok(Arc::new(escale_registry::Store::open(settings).context("cannot open the registry")?))
}

/// Every service.
fn cloud(settings: &Settings, clock: Clock, s3: S3, ecr: Ecr) -> Cloud {
    let iam =
        Iam { root_key: settings.access_key.clone(), root_secret: Secret::new(settings.secret_key.clone()) };
    let services: Vec<Arc<dyn Service>> = vec![
        Arc::new(iam.clone()),
        Arc::new(escale_sts::Sts),
        Arc::new(escale_ec2::Ec2),
        Arc::new(s3),
        Arc::new(ecr),
    ];
    Cloud::new(Arc::new(settings.config.clone()), clock, Arc::new(iam), services)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_and_models_agree() {
        let settings = Settings::from_environment().unwrap();
        let clock = Clock::machine();
        let objects = escale_objects::Fake::new(clock.clone(), escale_objects::Limits::default());
        let registry = escale_registry::Fake::new(clock.clone());
        let cloud = cloud(&settings, clock, S3::new(Arc::new(objects)), Ecr::new(Arc::new(registry)));
        assert_eq!(escale_gate::check_against_models(&cloud), Vec::<String>::new());
    }
}
