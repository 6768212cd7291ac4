//! The slow work of ECR: removes repositories, expires images, and frees files that no image needs any more.

mod lifecycle;
mod removals;
#[cfg(test)]
mod tests;
mod unused;

use crate::Repositories;
use escale_engine::Engine;
use escale_service::Cloud;
use escale_store::Store;
use std::sync::Arc;

/// The registry plane as the service's operations use it: [`crate::Ecr::repositories`].
pub struct Planes {
    pub repositories: Arc<Repositories>,
}

/// Starts the reconcilers.
pub fn start(engine: &mut Engine, store: &Store, cloud: &Arc<Cloud>, planes: Planes) {
    let repositories = planes.repositories;
    let registry = Arc::clone(&repositories.registry);
    engine.add(unused::Unused::new(store.clone(), Arc::clone(&registry)));
    engine.add(lifecycle::Lifecycle { store: store.clone(), registry });
    let (store, clock, account) = (store.clone(), cloud.clock.clone(), cloud.config.account.clone());
    engine.add(removals::Removals { store, clock, account, repositories });
}
