//! The minor version of `postgres 15` in a manifest is RDS's default minor version of 15.

#![allow(clippy::unwrap_used, reason = "a test may fail by it; clippy only knows of #[test] functions")]

use escale_base::{Clock, Timestamp};
use escale_blueprint::Engine;
use escale_service::{Asked, Caller, Cloud, Credential, Decision, Identity, Principal, Service};
use escale_store::{Image, Store, StoreError};
use escale_tables::rds::EngineSeen;
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc};

struct AllowAll;

impl Identity for AllowAll {
    fn credential(&self, _: &Image, _: &str) -> Option<Credential> {
        None
    }
    fn decide(&self, _: &Image, _: &Caller, _: &Asked<'_>) -> Decision {
        Decision::Allow
    }
}

/// The default minor version of each major version that RDS knows, as if all were installed.
fn newest_of_rds() -> BTreeMap<u32, String> {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("state.db"), escale_tables::rds::TABLES).unwrap();
    let installed = store.write(|tx| {
        (1..100).for_each(|major| tx.put(EngineSeen { major }));
        Ok::<_, StoreError>(())
    });
    installed.unwrap();
    let services: Vec<Arc<dyn Service>> = vec![Arc::new(escale_rds::Rds)];
    let cloud = Cloud::new(Arc::default(), Clock::by_hand(Timestamp(0)), Arc::new(AllowAll), services);
    let caller = Caller { principal: Principal::Root, ..Caller::service("") };
    let answer = cloud.call(&store, &caller, "rds", "DescribeDBEngineVersions", json!({})).unwrap();
    let version = |shown: &serde_json::Value| {
        let text = |member: &str| shown[member].as_str().unwrap().to_owned();
        (text("MajorEngineVersion").parse().unwrap(), text("EngineVersion"))
    };
    answer["DBEngineVersions"].as_array().unwrap().iter().map(version).collect()
}

#[test]
fn manifest_and_rds_agree_on_minor_versions() {
    let rds = newest_of_rds();
    let manifest = (1..100).filter_map(|major| format!("postgres {major}").parse::<Engine>().ok());
    let manifest: BTreeMap<u32, String> = manifest.map(|e| (e.major(), e.version().to_owned())).collect();
    let both = |(major, version): &(&u32, &String)| manifest.get(major) == Some(version);
    assert_eq!(rds.iter().filter(both).count(), manifest.len(), "{rds:?} {manifest:?}");
    assert_eq!(rds.last_key_value(), manifest.last_key_value(), "a manifest can name the newest version");
}
