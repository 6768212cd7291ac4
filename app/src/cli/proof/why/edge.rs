//! The hops of a distribution: the edge itself, the behaviour, the signature, and a bucket as the origin.

use super::{
    Walk, failed,
    names::Target,
    probes::{self, Page},
};
use anyhow::{Context, Result, bail};
use escale_base::{Clock, Timestamp, path::percent_encode};
use escale_proof::why::{
    Explained, Place, Probe, Step,
    edge::{Reader, Signature, behaviour, reads, signature},
};
use escale_wire::Element;

/// A URL in parts.
#[derive(Clone)]
pub(super) struct Url {
    pub(super) is_https: bool,
    pub(super) host: String,
    port: Option<u16>,
    /// As it is sent, without the query.
    pub(super) path: String,
    query: String,
}

impl Url {
    fn parse(text: &str) -> Result<Url> {
        let uri: http::Uri = text.parse().with_context(|| format!("{text} is not a URL"))?;
        let is_https = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => bail!("{text}: write a URL that begins with http:// or https://"),
        };
        let host = uri.host().with_context(|| format!("{text} has no host"))?.to_ascii_lowercase();
        Ok(Url {
            is_https,
            host,
            port: uri.port_u16(),
            path: uri.path().to_owned(),
            query: uri.query().unwrap_or_default().to_owned(),
        })
    }

    pub(super) fn path_and_query(&self) -> String {
        if self.query.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, self.query) }
    }
}

impl Walk<'_> {
    pub(super) async fn url(&mut self, text: &str) -> Result<()> {
        let url = Url::parse(text)?;
        match self.name(&url.host).await? {
            Target::Distribution(found) => self.distribution(&url, &found).await,
            Target::Balancer(found) => {
                let port = url.port.filter(|port| ![self.web_port(&url)].contains(port));
                let port = port.unwrap_or(if url.is_https { 443 } else { 80 });
                self.balancer(&url, &found, port).await
            }
            Target::None => Ok(()),
        }
    }

    fn web_port(&self, url: &Url) -> u16 {
        if url.is_https { self.settings.config.https_port } else { self.settings.config.web_port }
    }

    async fn distribution(&mut self, url: &Url, summary: &Element) -> Result<()> {
        let id = summary.text_of("Id").to_owned();
        let place = self.deployed.place(&id);
        // The edge is asked by one of its own names if DNS does not know the URL's.
        let port = url.port.unwrap_or_else(|| self.web_port(url));
        let page = probes::visit(self.home, port, url.is_https, &url.host, &url.path_and_query()).await;
        let is_named = has_name(summary, &url.host);
        let explained = serves(summary, &url.host, &place);
        let probe = match page.as_ref().ok() {
            Some(page) if !is_named => Some(Probe {
                passed: page.status != 403,
                what: format!("the edge answers {}", page.status),
                ms: page.ms,
            }),
            page => self.edge_probe(page),
        };
        self.push(Step::Distribution, &id, place.clone(), explained, probe);
        let page = page.ok().filter(|page| is_named && !page.header("x-amz-cf-id").is_empty());
        let path = format!("/2020-05-31/distribution/{id}/config");
        let config = match self.get("cloudfront", &path).await {
            Ok(config) => config,
            Err(error) => {
                self.push_unread(Step::Behaviour, &id, &id, &error);
                return Ok(());
            }
        };
        let behaviours = config.child("CacheBehaviors").map(|b| b.list("Items").to_vec()).unwrap_or_default();
        let patterns: Vec<String> = behaviours.iter().map(|b| b.text_of("PathPattern").to_owned()).collect();
        let chosen = match behaviour(&patterns, &url.path) {
            Some(at) => &behaviours[at],
            None => {
                config.child("DefaultCacheBehavior").context("the distribution has no default behaviour")?
            }
        };
        let pattern = match chosen.text_of("PathPattern") {
            "" => "the default behaviour",
            pattern => pattern,
        };
        let origin_id = chosen.text_of("TargetOriginId");
        let explained = if chosen.text_of("ViewerProtocolPolicy") == "https-only" && !url.is_https {
            failed(
                format!("the behaviour {pattern} accepts HTTPS only, and the URL is http"),
                place.clone(),
                "Request the https URL.",
            )
        } else {
            Explained::Ok(format!("{pattern} leads to the origin {origin_id}"))
        };
        let cache = page.as_ref().map(|page| Probe {
            passed: true,
            what: format!("the cache says '{}'", page.header("x-cache")),
            ms: page.ms,
        });
        self.push(Step::Behaviour, format!("{} of {id}", url.path), place, explained, cache);
        self.signed(url, chosen, &id, page.as_ref()).await;
        let origins = config.child("Origins").map(|o| o.list("Items").to_vec()).unwrap_or_default();
        let origin = origins.iter().find(|o| o.text_of("Id") == origin_id);
        let origin = origin.with_context(|| format!("the distribution {id} has no origin {origin_id}"))?;
        let root = config.text_of("DefaultRootObject");
        let url = match url.path.as_str() {
            "/" | "" if !root.is_empty() => Url { path: format!("/{root}"), ..url.clone() },
            _ => url.clone(),
        };
        self.origin(&url, origin, summary, page.as_ref()).await
    }

    /// Whether the edge answers at all, whatever it says.
    fn edge_probe(&self, page: Option<&Page>) -> Option<Probe> {
        let page = page?;
        // Without the mark of the edge the answer is that of the forwarder on loopback, which does not know the name.
        let passed = !page.header("x-amz-cf-id").is_empty();
        let is_known = self.hops.iter().all(|hop| hop.state() != escale_proof::why::State::Failed);
        if !passed && !is_known {
            return None;
        }
        let what = if passed {
            format!("the edge answers {}", page.status)
        } else {
            format!("{} is answered, but not by the edge", page.status)
        };
        Some(Probe { passed, what, ms: page.ms })
    }

    async fn signed(&mut self, url: &Url, behaviour: &Element, id: &str, page: Option<&Page>) {
        let groups = behaviour.child("TrustedKeyGroups").filter(|g| g.text_of("Enabled") == "true");
        let Some(groups) = groups else { return };
        let mut keys = Vec::new();
        for group in groups.list("Items") {
            let path = format!("/2020-05-31/key-group/{}", group.text.trim());
            match self.get("cloudfront", &path).await {
                Ok(found) => {
                    let config = found.find("KeyGroupConfig").cloned().unwrap_or_default();
                    keys.extend(config.list("Items").iter().map(|key| key.text.trim().to_owned()));
                }
                Err(error) => return self.push_unread(Step::Signature, id, group.text.trim(), &error),
            }
        }
        let place = self.deployed.place(id);
        let now = Clock::machine().now();
        let again = "Sign it again: `escale sign PATH`, with --expires for how long it is valid.";
        let explained = match signature(&url.query, &keys, now) {
            Signature::Plausible { expires } => {
                Explained::Ok(format!("it is valid until {}", iso(now, expires)))
            }
            Signature::Missing(part) => failed(
                format!("the behaviour needs a signed URL, and this one has no {part}"),
                place.clone(),
                again,
            ),
            Signature::UnknownKey(key) => failed(
                format!("the key {key} is in none of the behaviour's key groups"),
                place.clone(),
                again,
            ),
            Signature::Expired { expires } => {
                failed(format!("the signature expired at {}", iso(now, expires)), place.clone(), again)
            }
            Signature::Unreadable(why) => {
                failed(format!("the signature is unreadable: {why}"), place.clone(), again)
            }
        };
        // Refusals of the edge itself bear its name; those of an origin do not.
        let probe = page.map(|page| {
            let passed = !(page.status == 403 && page.header("server") == "CloudFront");
            let what = if passed { "the edge accepts it" } else { "the edge answers 403" };
            Probe { passed, what: what.to_owned(), ms: page.ms }
        });
        self.push(Step::Signature, format!("{} of {id}", url.path), place, explained, probe);
    }

    async fn origin(
        &mut self,
        url: &Url,
        origin: &Element,
        summary: &Element,
        page: Option<&Page>,
    ) -> Result<()> {
        let domain = origin.text_of("DomainName").to_ascii_lowercase();
        let id = summary.text_of("Id");
        let Some(custom) = origin.child("CustomOriginConfig") else {
            return self.bucket(url, origin, summary, page).await;
        };
        let policy = custom.text_of("OriginProtocolPolicy");
        let is_https = policy == "https-only" || (policy == "match-viewer" && url.is_https);
        let port = custom.text_of(if is_https { "HTTPSPort" } else { "HTTPPort" });
        let port: u16 = port.parse().unwrap_or(if is_https { 443 } else { 80 });
        let balancers = self.client.query("elbv2", "DescribeLoadBalancers", &[]).await?;
        let found = balancers
            .list("LoadBalancers")
            .iter()
            .find(|b| b.text_of("DNSName").to_ascii_lowercase() == domain);
        if let Some(found) = found {
            return self.balancer(url, found, port).await;
        }
        let what = format!(
            "the origin {domain} is no load balancer of this account: what it answers is not explained"
        );
        self.push(Step::Listener, domain, self.deployed.place(id), Explained::Unknown(what), None);
        Ok(())
    }

    async fn bucket(
        &mut self,
        url: &Url,
        origin: &Element,
        summary: &Element,
        page: Option<&Page>,
    ) -> Result<()> {
        let (id, origin_id) = (summary.text_of("Id"), origin.text_of("Id"));
        let place = self.deployed.place(id);
        let domain = origin.text_of("DomainName");
        let bucket = domain.split_once(".s3").map_or(domain, |(bucket, _)| bucket).to_owned();
        let key = format!("{}{}", origin.text_of("OriginPath"), url.path);
        let key = key.trim_start_matches('/').to_owned();
        // What the cache serves does not ask the bucket, and what the signature refuses does not reach it.
        let is_asked = |page: &&Page| {
            !page.header("x-cache").starts_with("Hit") && page.header("server") != "CloudFront"
        };
        let page = page.filter(is_asked);
        let probe = |is_own: bool| {
            page.map(|page| {
                let passed = page.status.as_u16() < 400;
                Probe {
                    passed: passed || !is_own,
                    what: format!("the bucket answers {}", page.status),
                    ms: page.ms,
                }
            })
        };
        let what = format!("the origin {origin_id} of {id}");
        let access = origin.text_of("OriginAccessControlId").to_owned();
        let explained = if access.is_empty() {
            let fix = format!(
                "Set OriginAccessControlId of the origin {origin_id}: `aws cloudfront update-distribution --id {id} …`."
            );
            failed(
                format!("{what} has no origin access control, so its requests are not signed"),
                place.clone(),
                fix,
            )
        } else {
            let found = self.get("cloudfront", &format!("/2020-05-31/origin-access-control/{access}")).await;
            match found {
                Err(error) => {
                    Explained::Unknown(format!("the origin access control cannot be read: {error:#}"))
                }
                Ok(found) => match found.find("SigningBehavior").map_or("", |e| e.text.trim()) {
                    "never" => failed(
                        format!("the origin access control {access} never signs requests"),
                        self.deployed.place(&access),
                        "Set its SigningBehavior to always.",
                    ),
                    behaviour => Explained::Ok(format!("{access} signs requests: {behaviour}")),
                },
            }
        };
        let is_unsigned = matches!(explained, Explained::Failed(_));
        let probed = if is_unsigned { probe(true) } else { None };
        self.push(Step::OriginAccess, what, place, explained, probed);
        let is_refused = self.policy(&bucket, &key, summary, probe(true)).await;
        let page = page.filter(|_| !is_unsigned && !is_refused);
        self.object(&bucket, &key, page).await;
        Ok(())
    }

    /// Whether the policy refuses.
    async fn policy(&mut self, bucket: &str, key: &str, summary: &Element, probe: Option<Probe>) -> bool {
        let path = format!("/{bucket}?policy");
        let answer = self.client.rest("s3", http::Method::GET, &path, &[], bytes::Bytes::new()).await;
        let policy = match answer {
            Ok(answer) => Some(String::from_utf8_lossy(&answer.body).into_owned()),
            Err(error) if crate::cli::client::is_code(&error, "NoSuchBucketPolicy") => None,
            Err(error) => {
                self.push_unread(Step::BucketPolicy, bucket, bucket, &error);
                return false;
            }
        };
        let config = &self.settings.config;
        let (now, distribution) = (Clock::machine().now(), summary.text_of("ARN"));
        let reader = Reader { distribution, account: &config.account, region: &config.region, now };
        let found = reads(policy.as_deref(), bucket, key, &reader);
        let logical = self.deployed.logical(bucket).map(str::to_owned);
        let is_own = |r: &escale_proof::survey::Resource| {
            let named = escale_proof::survey::references(r.get("/Bucket"));
            named.iter().any(|to| Some(&to.to) == logical.as_ref())
        };
        let place = self.deployed.find("AWS::S3::BucketPolicy", bucket, is_own);
        let place = place.unwrap_or_else(|| self.deployed.place(bucket));
        let is_refused = found.is_err();
        let explained = match found {
            Ok(()) => Explained::Ok("it allows the distribution s3:GetObject".to_owned()),
            Err(rule) => failed(
                rule,
                place.clone(),
                format!(
                    "Allow s3:GetObject to cloudfront.amazonaws.com with AWS:SourceArn {distribution}: `aws s3api put-bucket-policy --bucket {bucket} …`."
                ),
            ),
        };
        self.push(Step::BucketPolicy, bucket, place, explained, probe.filter(|_| is_refused));
        is_refused
    }

    async fn object(&mut self, bucket: &str, key: &str, page: Option<&Page>) {
        let path = format!("/{bucket}?list-type=2&max-keys=1&prefix={}", percent_encode(key));
        let place = self.deployed.place(bucket);
        let explained = match self.get("s3", &path).await {
            Err(error) => Explained::Unknown(format!("cannot be read: {error:#}")),
            Ok(found) if found.find("Key").is_some_and(|k| k.text.trim() == key) => {
                Explained::Ok("it exists".to_owned())
            }
            Ok(_) => failed(
                format!("the bucket {bucket} has no object {key}"),
                place.clone(),
                "Upload it, or correct the URL. S3 answers 403 instead of 404 to a reader that may not list the bucket.",
            ),
        };
        let probe = page.map(|page| Probe {
            passed: page.status.as_u16() < 400,
            what: format!("the bucket answers {}", page.status),
            ms: page.ms,
        });
        self.push(Step::Object, key, place, explained, probe);
    }
}

/// Whether a distribution serves a name, by its configuration.
fn serves(summary: &Element, host: &str, place: &Place) -> Explained {
    let id = summary.text_of("Id");
    if summary.text_of("Enabled") != "true" {
        let fix = format!("Enable it: `aws cloudfront update-distribution --id {id} …` with Enabled true.");
        return failed(format!("the distribution {id} is disabled"), place.clone(), fix);
    }
    if !has_name(summary, host) {
        let fix = format!(
            "Add {host} to Aliases, with a certificate that has this name: `aws cloudfront update-distribution --id {id} …`."
        );
        let rule = format!("{host} is no alias of the distribution {id}, so the edge refuses it");
        return failed(rule, place.clone(), fix);
    }
    Explained::Ok("it is enabled".to_owned())
}

/// Whether a distribution answers to a name: its own, or an alias, which may begin with a wildcard for one label.
fn has_name(summary: &Element, host: &str) -> bool {
    let aliases = summary.child("Aliases").map(|a| a.list("Items")).unwrap_or_default();
    let is_it = |alias: &Element| {
        let alias = alias.text.trim().to_ascii_lowercase();
        let below = alias.strip_prefix("*.").and_then(|zone| host.strip_suffix(&format!(".{zone}")));
        alias == host || below.is_some_and(|label| !label.is_empty() && !label.contains('.'))
    };
    summary.text_of("DomainName").eq_ignore_ascii_case(host) || aliases.iter().any(is_it)
}

fn iso(now: Timestamp, seconds: i64) -> String {
    now.plus_ms(seconds.saturating_sub(now.secs()).saturating_mul(1000)).iso8601()
}
