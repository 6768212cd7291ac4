//! Requests to the application's public name at a steady rate, each with a connection of its own, as new visitors make them.

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{net::TcpStream, task::JoinSet};
use tokio_util::task::AbortOnDropHandle;

/// A visitor waits no longer.
const WITHIN: Duration = Duration::from_secs(5);

/// Requests that are in progress at most. At the limit the next ones fail, because nobody could serve them.
const IN_PROGRESS: usize = 2_000;

#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) begun: Instant,
    pub(super) took: Duration,
    /// `None`: it was answered, with a status below 500.
    pub(super) error: Option<String>,
}

/// Where to send requests.
#[derive(Clone, Debug)]
pub(super) struct Site {
    at: String,
    host: String,
    paths: Vec<String>,
}

impl Site {
    pub(super) fn new(url: &str, paths: Vec<String>) -> Result<Site> {
        let rest =
            url.strip_prefix("http://").with_context(|| format!("{url} does not begin with http://"))?;
        let host = rest.trim_end_matches('/').to_owned();
        let (name, port) = host.split_once(':').unwrap_or((&host, "80"));
        // RFC 6761: localhost and every name below it is this machine. Not every system resolver knows that.
        let address = if name == "localhost" || name.ends_with(".localhost") { "127.0.0.1" } else { name };
        Ok(Site { at: format!("{address}:{port}"), host, paths })
    }

    async fn request(&self, path: &str) -> Result<()> {
        let stream = TcpStream::connect(&self.at).await?;
        stream.set_nodelay(true)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let _connection = AbortOnDropHandle::new(tokio::spawn(connection));
        let request = Request::get(path).header(header::HOST, &self.host).body(Full::<Bytes>::default())?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        response.into_body().collect().await?;
        if status.is_server_error() {
            bail!("{path} answers {status}");
        }
        Ok(())
    }

    pub(super) async fn sample(&self, n: usize) -> Sample {
        let begun = Instant::now();
        let path = self.paths.get(n % self.paths.len().max(1)).map_or("/", String::as_str);
        let error = match tokio::time::timeout(WITHIN, self.request(path)).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(format!("{error:#}")),
            Err(_) => Some(format!("{path} does not answer within {WITHIN:?}")),
        };
        Sample { begun, took: begun.elapsed(), error }
    }
}

/// The running load.
pub(super) struct Load {
    rate: Arc<AtomicU32>,
    samples: Arc<Mutex<Vec<Sample>>>,
    running: AbortOnDropHandle<()>,
}

impl Load {
    /// `rate`: requests per second.
    pub(super) fn start(site: Site, rate: u32) -> Load {
        let (rate, samples) = (Arc::new(AtomicU32::new(rate)), Arc::default());
        let running = tokio::spawn(run(site, Arc::clone(&rate), Arc::clone(&samples)));
        Load { rate, samples, running: AbortOnDropHandle::new(running) }
    }

    pub(super) fn set_rate(&self, rate: u32) {
        self.rate.store(rate, Ordering::Relaxed);
    }

    /// The samples so far, in the order of their ends.
    pub(super) fn samples(&self) -> Vec<Sample> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether a request that ended after this moment failed.
    pub(super) fn has_failed_since(&self, moment: Instant) -> bool {
        let samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        samples.iter().rev().take_while(|s| s.begun + s.took >= moment).any(|s| s.error.is_some())
    }

    /// Ends the load after the answers of all requests.
    pub(super) async fn stop(self) -> Vec<Sample> {
        self.set_rate(0);
        let _ = self.running.await;
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *samples)
    }
}

/// An open loop: the next request does not wait for the last one's answer, as visitors do not wait for each other.
async fn run(site: Site, rate: Arc<AtomicU32>, samples: Arc<Mutex<Vec<Sample>>>) {
    let site = Arc::new(site);
    let mut requests = JoinSet::new();
    let mut due = tokio::time::Instant::now();
    for n in 0.. {
        let per_second = rate.load(Ordering::Relaxed);
        if per_second == 0 {
            break;
        }
        due += Duration::from_secs(1) / per_second;
        tokio::time::sleep_until(due).await;
        if requests.len() >= IN_PROGRESS {
            let full = Sample {
                begun: Instant::now(),
                took: Duration::ZERO,
                error: Some("too many requests wait".into()),
            };
            samples.lock().unwrap_or_else(PoisonError::into_inner).push(full);
        } else {
            let site = Arc::clone(&site);
            requests.spawn(async move { site.sample(n).await });
        }
        while let Some(Ok(sample)) = requests.try_join_next() {
            samples.lock().unwrap_or_else(PoisonError::into_inner).push(sample);
        }
    }
    while let Some(Ok(sample)) = requests.join_next().await {
        samples.lock().unwrap_or_else(PoisonError::into_inner).push(sample);
    }
}
