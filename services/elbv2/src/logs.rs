//! Access logs of load balancers: files in a bucket of the account, as AWS delivers them.
//!
//! As on AWS, delivery is best effort, and the bucket's policy must allow it.
//!
//! Source: <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html>

mod line;

use crate::{Error, attributes};
use bytes::Bytes;
use escale_base::{Timestamp, ids};
use escale_proxy::{Proxies, Visit};
use escale_requests::s3::PutObject;
use escale_service::{Body, Caller, Cloud, Cx, Principal, request_with_body};
use escale_store::{Image, Row, Store};
use escale_tables::{
    elbv2::{BalancerKind, LoadBalancer, LoadBalancerArn},
    s3::Bucket,
};
use flate2::{Compression, write::GzEncoder};
use http_body_util::{BodyExt, Full};
use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    io::Write,
    sync::Arc,
    time::Duration,
};

/// The service principal of the delivery. Policies from before 2022 name an account of the region instead: [`account_of`].
const PRINCIPAL: &str = "logdelivery.elasticloadbalancing.amazonaws.com";

/// How long requests are collected for one file. AWS delivers every five minutes.
const COLLECT: Duration = Duration::from_secs(5);

/// Records that are taken at once.
const RECORDS: usize = 10_000;

/// Where the logs of a load balancer go.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    bucket: String,
    /// With the slash behind it.
    prefix: String,
}

/// `None` if the load balancer is not logged.
fn place(balancer: &LoadBalancer) -> Option<Place> {
    let get = |key| attributes::get(attributes::of_balancer(balancer.kind), &balancer.attributes, key);
    if balancer.kind != BalancerKind::Application || get("access_logs.s3.enabled") != "true" {
        return None;
    }
    let prefix = get("access_logs.s3.prefix").trim_matches('/');
    let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
    Some(Place { bucket: get("access_logs.s3.bucket").to_owned(), prefix })
}

pub(crate) fn is_logged(balancer: &LoadBalancer) -> bool {
    place(balancer).is_some()
}

/// Checks that logs can be delivered, when they are switched on.
pub(crate) fn check(cx: &Cx<'_>, balancer: &LoadBalancer) -> Result<(), Error> {
    let Some(place) = place(balancer) else { return Ok(()) };
    if place.bucket.is_empty() {
        let why = "Access logs need a bucket: set the attribute 'access_logs.s3.bucket'";
        return Err(Error::InvalidConfiguration(why.into()));
    }
    if place.prefix.contains("AWSLogs") {
        let why = "The attribute 'access_logs.s3.prefix' cannot contain 'AWSLogs'";
        return Err(Error::InvalidConfiguration(why.into()));
    }
    if cx.tx.get::<Bucket>(&place.bucket).is_none() {
        return Err(Error::InvalidConfiguration(format!("The bucket '{}' does not exist", place.bucket)));
    }
    let key = test_file(&place, &cx.config.account);
    match permitted(cx.cloud(), cx.tx, balancer, (&place, &key)) {
        Some(_) => Ok(()),
        None => Err(Error::InvalidConfiguration(format!(
            "Access Denied for bucket: {}. Please check S3bucket permission: its policy must allow {PRINCIPAL} to put objects",
            place.bucket
        ))),
    }
}

/// AWS writes it when logs are switched on, to see whether it may.
fn test_file(place: &Place, account: &str) -> String {
    format!("{}AWSLogs/{account}/ELBAccessLogTestFile", place.prefix)
}

/// The caller that the bucket's policy allows to write the object.
fn permitted(
    cloud: &Cloud,
    image: &Image,
    balancer: &LoadBalancer,
    (place, key): (&Place, &str),
) -> Option<Caller> {
    let (service, source_arn) = (PRINCIPAL.to_owned(), balancer.arn.to_string());
    let account = account_of(&cloud.config.region).map(|account| {
        let canonical_id = String::new();
        Principal::Foreign { arn: format!("arn:aws:iam::{account}:root"), canonical_id }
    });
    let principals = [Some(Principal::OnBehalf { service, source_arn }), account];
    let input = serde_json::json!({"Bucket": place.bucket});
    let resources = [format!("arn:aws:s3:::{}/{key}", place.bucket)];
    principals.into_iter().flatten().find_map(|principal| {
        let caller = Caller { principal, ..Caller::service(PRINCIPAL) };
        let action = ("s3:PutObject", "PutObject");
        let asked = cloud.authorize_action(image, &caller, "s3", action, &input, &resources, &[]);
        asked.is_ok().then_some(caller)
    })
}

/// The account of Elastic Load Balancing in the older regions.
///
/// Source: <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html>
fn account_of(region: &str) -> Option<&'static str> {
    const ACCOUNTS: &[(&str, &str)] = &[
        ("us-east-1", "127311923021"),
        ("us-east-2", "033677994240"),
        ("us-west-1", "027434742980"),
        ("us-west-2", "797873946194"),
        ("af-south-1", "098369216593"),
        ("ap-east-1", "754344448648"),
        ("ap-south-1", "718504428378"),
        ("ap-northeast-1", "582318560864"),
        ("ap-northeast-2", "600734575887"),
        ("ap-northeast-3", "383597477331"),
        ("ap-southeast-1", "114774131450"),
        ("ap-southeast-2", "783225319266"),
        ("ca-central-1", "985666609251"),
        ("eu-central-1", "054676820928"),
        ("eu-north-1", "897822967062"),
        ("eu-south-1", "635631232127"),
        ("eu-west-1", "156460612806"),
        ("eu-west-2", "652711504416"),
        ("eu-west-3", "009996457667"),
        ("me-south-1", "076674570225"),
        ("sa-east-1", "507241528517"),
    ];
    ACCOUNTS.iter().find(|(name, _)| *name == region).map(|(_, account)| *account)
}

/// Delivers logs for as long as the engine lives.
pub(crate) async fn deliver(store: Store, cloud: Arc<Cloud>, proxies: Arc<dyn Proxies>) {
    let mut changes = store.subscribe(&[LoadBalancer::TABLE]);
    let mut tested = BTreeSet::new();
    loop {
        let logged = places(&store.read());
        for (arn, place) in &logged {
            if tested.insert((arn.clone(), place.clone())) {
                let key = test_file(place, &cloud.config.account);
                put(&store, &cloud, arn, (place, key), "Enable AccessLog for ELB".into()).await;
            }
        }
        if logged.is_empty() {
            changes.changed().await;
            continue;
        }
        // A change writes its test file at once.
        if tokio::time::timeout(COLLECT, changes.changed()).await.is_ok() {
            continue;
        }
        match proxies.take_log(RECORDS).await {
            Ok(visits) => deliver_all(&store, &cloud, &logged, visits).await,
            Err(error) => tracing::warn!(%error, "the records of requests to load balancers cannot be read"),
        }
    }
}

fn places(image: &Image) -> BTreeMap<LoadBalancerArn, Place> {
    image.scan::<LoadBalancer>().filter_map(|row| Some((row.arn.clone(), place(&row)?))).collect()
}

async fn deliver_all(
    store: &Store,
    cloud: &Arc<Cloud>,
    logged: &BTreeMap<LoadBalancerArn, Place>,
    visits: Vec<Visit>,
) {
    // As on AWS, a file for each node.
    let mut of_node: BTreeMap<(String, String), Vec<Visit>> = BTreeMap::new();
    for visit in visits {
        of_node.entry((visit.balancer.clone(), visit.node.clone())).or_default().push(visit);
    }
    for ((balancer, node), visits) in of_node {
        let Some((arn, place)) = logged.iter().find(|(arn, _)| arn.as_str() == balancer) else { continue };
        let Some(row) = store.read().get::<LoadBalancer>(arn) else { continue };
        let address = row.nodes.iter().find(|n| node.ends_with(n.interface.as_str()));
        let address = address
            .map_or_else(|| "-".to_owned(), |n| n.public.as_ref().map_or(n.private_ip, |p| p.ip).to_string());
        let name = arn.as_str().split_once(":loadbalancer/").map_or("", |(_, name)| name);
        let key =
            key(place, (&cloud.config.account, &cloud.config.region), (name, &address), cloud.clock.now());
        let lines: String = visits.iter().map(|visit| line::line(visit, name)).collect();
        put(store, cloud, arn, (place, key), gzip(&lines)).await;
    }
}

async fn put(
    store: &Store,
    cloud: &Arc<Cloud>,
    arn: &LoadBalancerArn,
    (place, key): (&Place, String),
    bytes: Bytes,
) {
    let Some(balancer) = store.read().get::<LoadBalancer>(arn) else { return };
    let put = async {
        let denied = || Error::InvalidConfiguration("the bucket's policy does not allow it".into());
        let caller = permitted(cloud, &store.read(), &balancer, (place, &key)).ok_or_else(denied)?;
        let body: Body = Full::new(bytes).map_err(|never: Infallible| match never {}).boxed_unsync();
        request_with_body(
            cloud,
            store,
            &caller,
            PutObject { bucket: place.bucket.clone(), key, acl: None },
            body,
        )
        .await
    };
    if let Err(error) = put.await {
        tracing::warn!(balancer = %arn, bucket = place.bucket, %error, "an access log could not be delivered");
    }
}

fn key(
    place: &Place,
    (account, region): (&str, &str),
    (name, address): (&str, &str),
    end: Timestamp,
) -> String {
    // 2030-01-31T12:30:59.000Z
    let at = end.iso8601();
    let (day, minute) = (
        at[..10].replace('-', "/"),
        format!("{}T{}Z", at[..10].replace('-', ""), at[11..16].replace(':', "")),
    );
    format!(
        "{}AWSLogs/{account}/elasticloadbalancing/{region}/{day}/{account}_elasticloadbalancing_{region}_{}_{minute}_{address}_{}.log.gz",
        place.prefix,
        name.replace('/', "."),
        ids::random_hex(8)
    )
}

fn gzip(text: &str) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing into memory does not fail; an error would give an empty file instead of a broken one.
    match encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish()) {
        Ok(bytes) => bytes.into(),
        Err(_) => Bytes::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_the_format_of_aws() {
        let place = Place { bucket: "b".into(), prefix: "p/".into() };
        let end = Timestamp::parse_iso8601("2030-01-31T12:34:56Z").unwrap();
        let key = key(&place, ("1", "eu-west-3"), ("app/web/50dc", "10.0.0.5"), end);
        let start = "p/AWSLogs/1/elasticloadbalancing/eu-west-3/2030/01/31/\
                     1_elasticloadbalancing_eu-west-3_app.web.50dc_20300131T1234Z_10.0.0.5_";
        assert!(key.starts_with(start) && key.ends_with(".log.gz"), "{key}");
    }
}
