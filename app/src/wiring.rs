//! The only place that names every service and every plane, a line each.

use crate::{home::Home, settings::Settings};
use anyhow::{Context, Result, bail};
use escale_base::{Clock, Secret};
use escale_engine::Engine;
use escale_gate::{Gate, Mount};
use escale_iam::Iam;
use escale_service::{Cloud, Service};
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
    let cloud = Arc::new(cloud(settings, clock.clone()));
    if cfg!(debug_assertions) {
        let faults = escale_gate::check_against_models(&cloud);
        if !faults.is_empty() {
            bail!("services and models disagree:\n  {}", faults.join("\n  "));
        }
    }
    let engine = Engine::new(store.clone(), clock);
    let mounts: Vec<Arc<dyn Mount>> = Vec::new();
    let gate = Arc::new(Gate::new(cloud, store, mounts));
    let mut listeners = JoinSet::new();
    listeners.spawn(escale_gate::serve(gate, listener));
    Ok(Running { _engine: engine, _listeners: listeners })
}

/// Every service.
fn cloud(settings: &Settings, clock: Clock) -> Cloud {
    let iam =
        Iam { root_key: settings.access_key.clone(), root_secret: Secret::new(settings.secret_key.clone()) };
    let services: Vec<Arc<dyn Service>> = vec![
        Arc::new(iam.clone()),
        Arc::new(escale_sts::Sts),
        Arc::new(escale_ec2::Ec2),
        Arc::new(escale_elbv2::Elbv2),
    ];
    Cloud::new(Arc::new(settings.config.clone()), clock, Arc::new(iam), services)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_and_models_agree() {
        let settings = Settings::from_environment().unwrap();
        let cloud = cloud(&settings, Clock::machine());
        assert_eq!(escale_gate::check_against_models(&cloud), Vec::<String>::new());
    }
}
