//! The complete interface of the plane, as plain data.

use escale_base::Secret;
use escale_tls::TlsSpec;
pub use escale_tls::spec as tls;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, net::SocketAddr};

/// One balancer. Names are the caller's; the plane only compares them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BalancerSpec {
    pub name: String,
    pub nodes: Vec<NodeSpec>,
    pub listeners: Vec<ListenerSpec>,
    pub groups: Vec<GroupSpec>,
    pub attributes: Attributes,
}

/// One node; its name is passed to [`crate::Sockets`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeSpec {
    pub node: String,
    pub zone: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attributes {
    /// A connection without traffic for this long is closed.
    pub idle_timeout_ms: u64,
    /// Drop request headers whose name contains anything but letters, digits and hyphens.
    pub drop_invalid_headers: bool,
    pub forwarded_for: ForwardedFor,
    /// Pass the Host header unchanged; otherwise the listener's port is added when it is not the scheme's default.
    pub preserve_host: bool,
    /// Name of a request header that gets an id for tracing, in the form `Root=1-<time>-<random>`.
    pub trace_header: Option<String>,
    /// The Server header of answers that the balancer itself gives.
    pub server_name: String,
    /// X-Forwarded-For has the client's port, too.
    pub forwarded_port: bool,
    /// Names of request headers with the version and the cipher suite of the client's TLS.
    pub tls_headers: Option<(String, String)>,
    /// A client's connection is closed after this time, once the requests in progress are complete.
    pub keepalive_ms: u64,
    pub cookies: Cookies,
    /// Answered requests are recorded: [`crate::Proxies::take_log`].
    pub log: bool,
}

/// The cookies of sticky sessions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cookies {
    /// Makes cookies that clients cannot forge. Cookies of another key are ignored.
    pub key: Secret<String>,
    /// For a target. The second one has the same value, for requests from pages of other sites.
    pub target: String,
    pub target_cors: String,
    /// For a group of a rule.
    pub group: String,
    pub group_cors: String,
    /// For a target, beside a cookie of the application.
    pub application: String,
}

impl Default for Cookies {
    fn default() -> Cookies {
        let name = |name: &str| name.to_owned();
        Cookies {
            key: Secret::new(String::new()),
            target: name("TARGET"),
            target_cors: name("TARGET-CORS"),
            group: name("GROUP"),
            group_cors: name("GROUP-CORS"),
            application: name("APPLICATION"),
        }
    }
}

impl Default for Attributes {
    fn default() -> Attributes {
        Attributes {
            idle_timeout_ms: 60_000,
            drop_invalid_headers: false,
            forwarded_for: ForwardedFor::Append,
            preserve_host: false,
            trace_header: None,
            server_name: "balancer".into(),
            forwarded_port: false,
            tls_headers: None,
            keepalive_ms: 3_600_000,
            cookies: Cookies::default(),
            log: false,
        }
    }
}

/// The handling of X-Forwarded-For.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ForwardedFor {
    Append,
    Preserve,
    Remove,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListenerSpec {
    /// 0 selects any free port (see [`crate::ListenerSeen`]); at most one listener may have it.
    pub port: u16,
    pub rules: Vec<Rule>,
    pub default: Action,
    /// Clients of this listener speak HTTPS.
    pub tls: Option<TlsSpec>,
}

/// Rules are evaluated in the order of `priority`; all `conditions` must hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    pub priority: u32,
    pub conditions: Vec<Condition>,
    pub action: Action,
}

/// Holds when one of its values matches. In patterns `*` matches any run of characters, `?` matches one character, and
/// a backslash makes the next one literal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Condition {
    /// The normalized path (`RawPath::normalized` of `escale-base`); case-sensitive.
    Path(Vec<String>),
    /// The host without its port; case-insensitive.
    Host(Vec<String>),
    /// Exact, without patterns.
    Method(Vec<String>),
    /// Case-insensitive.
    Header { name: String, values: Vec<String> },
    /// One pair of the query string; without `key` any key. Case-insensitive.
    Query(Vec<QueryPattern>),
    /// The address of the connection's peer, not of X-Forwarded-For.
    Source(Vec<IpNet>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueryPattern {
    pub key: Option<String>,
    pub value: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Action {
    Forward(Forward),
    Redirect(Redirect),
    Fixed(Fixed),
    /// The default action of a listener without rules: such a listener speaks no HTTP. Each TCP connection goes to one target,
    /// and its bytes pass unread.
    Relay(Relay),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Forward {
    /// One is chosen by weight for each request.
    pub groups: Vec<Weighted>,
    /// A client stays with its group for so many seconds after each request.
    pub sticky_s: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Relay {
    pub group: String,
    /// Connections to a target end when its drain delay is over. Otherwise they last as long as their ends like.
    pub end_after_drain: bool,
    /// Connections to a target end when it becomes unhealthy.
    pub end_when_unhealthy: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Weighted {
    pub group: String,
    pub weight: u32,
}

/// The parts may contain `#{protocol}`, `#{host}`, `#{port}`, `#{path}` (without its first slash) and
/// `#{query}`, which are replaced by those of the request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Redirect {
    pub protocol: String,
    pub host: String,
    pub port: String,
    pub path: String,
    pub query: String,
    /// 301 instead of 302.
    pub permanent: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fixed {
    pub status: u16,
    pub content_type: String,
    pub body: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupSpec {
    pub name: String,
    pub targets: Vec<TargetSpec>,
    pub algorithm: Algorithm,
    pub health: HealthCheck,
    /// Whether a node may send to targets of other zones.
    pub cross_zone: bool,
    /// How long requests in progress may continue once a target drains.
    pub drain_delay_ms: u64,
    pub transport: Transport,
    pub sticky: Option<Sticky>,
    /// How long the share of requests of a target grows after it became healthy; 0 is not at all. For round-robin only.
    #[serde(default)]
    pub slow_start_ms: u64,
}

/// How requests get to targets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transport {
    /// The target's certificate is not verified.
    pub tls: bool,
    pub version: Version,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Version {
    /// For clients of any version, but not for gRPC.
    #[default]
    Http1,
    /// For clients of HTTP/2.
    Http2,
    /// HTTP/2, for POST requests.
    Grpc,
}

/// How long a client stays with its target after each request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Sticky {
    Own {
        seconds: u64,
    },
    /// As long as the client has this cookie of the application.
    Application {
        cookie: String,
        seconds: u64,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetSpec {
    pub addr: SocketAddr,
    /// `None`: in no zone, every node may send to it.
    pub zone: Option<String>,
    /// Being removed: no new requests.
    pub draining: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    RoundRobin,
    LeastOutstanding,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HealthCheck {
    pub protocol: Probe,
    /// `None`: the port at which the target serves.
    pub port: Option<u16>,
    pub interval_ms: u64,
    pub timeout_ms: u64,
    /// Consecutive successes that make an unhealthy target healthy.
    pub healthy_threshold: u32,
    /// Consecutive failures that make a target unhealthy.
    pub unhealthy_threshold: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Probe {
    /// Opening a connection is a success.
    Tcp,
    Http {
        path: String,
        /// Statuses that count as success: `200`, `200-299`, `200,301`.
        matcher: String,
        /// Headers of the request, for instance User-Agent.
        headers: BTreeMap<String, String>,
        /// With gRPC the matcher has statuses of gRPC: 0 to 99.
        transport: Transport,
    },
}
