//! CloudFront: distributions and the resources that they use.
//!
//! Operations (`ops/`) write the desired state into the tables of `escale_tables::cloudfront`. Reconcilers (`reconcile/`)
//! turn a distribution's rows into one specification for the cdn plane, and invalidate cached objects.
//!
//! This crate does not serve viewers itself. Start at `ops/create_distribution.rs`.

mod cfn;
mod check;
mod error;
mod logs;
mod ops;
mod policies;
mod reconcile;
mod recorded;
mod rules;
mod shapes;
mod viewer;

use escale_authority::Authority;
use escale_base::{Arn, Secret, wire::Value};
use escale_cdn::{Cdn, Settings, spec::Identity};
use escale_engine::Engine;
use escale_service::{Also, Cloud, Config, Entry, Recorded, ResourceType, Service, gives_tags};
use escale_store::{Image, Store, StoreError};
use escale_tables::cloudfront::{Distribution, OriginAccessIdentity};
use escale_tls::client::Trust;
use std::{path::PathBuf, sync::Arc};

pub use error::{Error, Kind};

/// The service principal for requests to origins.
pub(crate) const PRINCIPAL: &str = "cloudfront.amazonaws.com";

/// The edge location in answers and logs.
pub(crate) const PLACE: &str = "CDG50-C1";

/// The sizes of the cache in memory and on disk: enough for a working set of images, and small for a laptop.
const MEMORY_BYTES: u64 = 64 * 1024 * 1024;
const DISK_BYTES: u64 = 2 * 1024 * 1024 * 1024;

/// The service, for the wiring.
pub struct CloudFront;

impl Service for CloudFront {
    fn id(&self) -> &'static str {
        "cloudfront"
    }
    fn global(&self) -> bool {
        true
    }
    fn operations(&self) -> Vec<Entry> {
        ops::all()
    }
    fn resources(&self, _image: &Image, config: &Config, operation: &str, input: &Value) -> Vec<String> {
        let text = |member: &str| input.get(member).and_then(Value::as_str);
        if let Some(arn) = text("Resource") {
            return vec![arn.to_owned()];
        }
        let kinds = [
            ("OriginAccessControl", "origin-access-control"),
            ("OriginAccessIdentity", "origin-access-identity"),
            ("ResponseHeadersPolicy", "response-headers-policy"),
            ("OriginRequestPolicy", "origin-request-policy"),
            ("CachePolicy", "cache-policy"),
        ];
        // The operation's name contains the resource type. Operations of distributions give their ARN themselves (`ops/`).
        let by_id = kinds.iter().find(|(word, _)| operation.contains(word)).map(|(_, kind)| *kind);
        let found = match text("DistributionId") {
            Some(id) => Some(("distribution", id)),
            None => by_id.zip(text("Id")),
        };
        let arn =
            |(kind, id)| Arn::new("cloudfront", "", &config.account, format!("{kind}/{id}")).to_string();
        found.map(arn).into_iter().collect()
    }
    fn tagging(&self, _operation: &str, input: &Value, resources: &[String]) -> Option<Also> {
        let tagged = gives_tags(input, "/DistributionConfigWithTags/Tags/Items");
        tagged.then(|| Also::tagging("cloudfront:TagResource", resources))
    }
    fn recorded(&self) -> &'static [Recorded] {
        recorded::RECORDED
    }
    fn resource_types(&self) -> Vec<ResourceType> {
        cfn::types()
    }
}

/// The settings of the edge: CloudFront's identity, a cache in this folder, the host's ports of HTTP and HTTPS, and the
/// authorities of the certificates of origins.
pub fn edge_settings(directory: PathBuf, ports: (u16, u16), trust: Trust) -> Settings {
    let identity = Identity {
        product: "cloudfront".into(),
        title: "CloudFront".into(),
        via_host: "edge.cloudfront.localhost".into(),
        id_header: "X-Amz-Cf-Id".into(),
        place: Some(("X-Amz-Cf-Pop".into(), PLACE.into())),
        server: "CloudFront".into(),
        user_agent: "Amazon CloudFront".into(),
    };
    Settings {
        directory,
        memory_bytes: MEMORY_BYTES,
        disk_bytes: DISK_BYTES,
        identity,
        https_port: Some(ports),
        trust,
    }
}

/// The key that signs the distribution's requests to this origin: as the distribution, or as the origin's access identity, so
/// that the bucket's policy applies. It is valid for this cloud's process only. `None` if there is no such origin or identity.
pub fn origin_key(image: &Image, cloud: &Cloud, id: &str, origin: &str) -> Option<(String, Secret<String>)> {
    let row = image.get::<Distribution>(id)?;
    let origin = row.config.origins.0.iter().find(|o| o.id == origin)?;
    let Some(identity) = check::identity_of(origin) else {
        let arn = Arn::new("cloudfront", "", &cloud.config.account, format!("distribution/{id}")).to_string();
        return Some(cloud.service_key(PRINCIPAL, &arn));
    };
    let identity = image.get::<OriginAccessIdentity>(identity)?;
    Some(cloud.foreign_key(identity.arn(), identity.canonical_user.to_string()))
}

/// The plane that serves distributions. It may serve what an earlier daemon applied.
pub struct Planes {
    pub cdn: Arc<dyn Cdn>,
    /// Issues the certificates of distributions' own names.
    pub authority: Arc<dyn Authority>,
}

/// Starts the reconcilers of distributions and invalidations, and the delivery of logs.
pub fn start(
    engine: &mut Engine,
    store: &Store,
    cloud: &Arc<Cloud>,
    planes: Planes,
) -> Result<(), StoreError> {
    // Before the reconcilers start: they would take old observations for the state of the plane.
    reconcile::begin_observations(store, cloud.clock.now(), planes.cdn.ids())?;
    let (clock, cdn) = (|| cloud.clock.clone(), || Arc::clone(&planes.cdn));
    engine.add(reconcile::Certificates { store: store.clone(), authority: planes.authority });
    engine.add(reconcile::Distributions { store: store.clone(), clock: clock(), cdn: cdn() });
    engine.run(logs::deliver(store.clone(), Arc::clone(cloud), cdn()));
    engine.add(reconcile::Invalidations { store: store.clone(), clock: clock(), cdn: cdn() });
    Ok(())
}
