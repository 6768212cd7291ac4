//! The slow work of ECR: removes repositories, and frees files that no image needs any more.

mod removals;
#[cfg(test)]
mod tests;
mod unused;

use crate::Repositories;
use escale_base::Clock;
use escale_engine::Engine;
use escale_store::Store;
use std::sync::Arc;

/// Starts the reconcilers.
pub fn start(
    engine: &mut Engine,
    store: Store,
    clock: Clock,
    account: String,
    repositories: Arc<Repositories>,
) {
    let registry = Arc::clone(&repositories.registry);
    engine.add(unused::Unused::new(store.clone(), registry));
    engine.add(removals::Removals { store, clock, account, repositories });
}
