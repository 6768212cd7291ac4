//! The bounds of every queue, cache, retry and body, with their reasons. AWS's own quotas are named as such.

/// Largest request body of an operation that is not a byte stream. AWS's largest is CloudFormation's and
/// IAM's, far below; this bounds what one client can make the daemon hold.
pub const OPERATION_BODY_BYTES: usize = 8 * 1024 * 1024;

/// Events that may wait between a plane and the task that records them. A plane that gets this far ahead
/// waits: an observation is never dropped.
pub const PLANE_EVENTS: usize = 1024;

/// Longest pause between two tries of a reconciler's step, in milliseconds. Long enough to be idle, short
/// enough that a repaired machine is seen at once.
pub const BACKOFF_MAX_MS: u64 = 5_000;

/// First pause after a failed step, in milliseconds; doubled at each failure.
pub const BACKOFF_MIN_MS: u64 = 50;

/// Items per page when the client gives no number. Most of AWS's describe calls return 100 or 1,000.
pub const PAGE_DEFAULT: usize = 100;

/// Signing keys cached by a signature verifier. Each is 64 bytes and saves four HMACs per request; one exists per
/// secret, day, region and service. A full cache therefore means that a day has passed, and it is emptied.
pub const SIGNING_KEYS: usize = 4096;

/// Longest chunk header, and longest trailer, of a body in `aws-chunked` framing. Real ones have some 100 bytes.
pub const CHUNK_LINE_BYTES: usize = 4096;
/// Connections that one loopback forwarder carries at a time: enough for any load test from one machine, and a
/// bound on the file descriptors that a leaking client can take (two each).
pub const FORWARDED_CONNECTIONS: usize = 4096;
/// Largest request head of a connection that is forwarded by its host name; the time for sending it, and for reaching
/// the other end, in milliseconds. Browsers send heads of some 2 KiB at once.
pub const FORWARDED_HEAD_BYTES: usize = 32 * 1024;
pub const FORWARDED_HEAD_MS: u64 = 10_000;
pub const FORWARDED_CONNECT_MS: u64 = 5_000;
/// How long a starting task tries to reach the API from its interface, in milliseconds: the kernel's first attempt and those
/// after one and three seconds. AWS waits longer, which would give no more information on one machine.
pub const TASK_ROAD_MS: u64 = 4_000;
/// Limits on the cost of one request before its caller is known, and while it is decoded. AWS's clients stay far below.
pub mod request {
    /// How long a client may take for its head, and how long a kept connection may be idle, in milliseconds.
    pub const HEAD_MS: u64 = 60_000;
    /// Connections of one listener; more wait in the kernel's queue. Each may hold two descriptors and a head.
    pub const CONNECTIONS: usize = 1024;
    /// Concurrent requests of one HTTP/2 connection, and the bytes it may send ahead of the reader.
    pub const HTTP2_STREAMS: u32 = 64;
    pub const HTTP2_WINDOW_BYTES: u32 = 256 * 1024;

    /// Largest body of a request without a signature. The largest that AWS takes is STS's: a SAML assertion of
    /// 100,000 characters.
    pub const ANONYMOUS_BODY_BYTES: usize = 128 * 1024;
    /// Bytes that all bodies of unsigned requests may occupy together.
    pub const ANONYMOUS_BODIES_BYTES: usize = 4 * 1024 * 1024;
    /// A body up to this is small: it is decoded where it is read, and has a budget of its own, so that a few large
    /// bodies never keep out the many small ones. A describe call has some 100 bytes.
    pub const SMALL_BODY_BYTES: usize = 64 * 1024;
    /// Bytes that all small bodies, and all larger bodies, of signed requests may occupy together.
    pub const SMALL_BODIES_BYTES: usize = 32 * 1024 * 1024;
    pub const LARGE_BODIES_BYTES: usize = 48 * 1024 * 1024;
    /// How long a body waits for its share of the budget, in milliseconds: shorter than any client's timeout.
    pub const BUDGET_WAIT_MS: u64 = 2_000;

    /// Longest pause within a body that is collected, in milliseconds; and the time for the whole body: a base in
    /// milliseconds, plus one for each so many bytes. The network is this machine's own.
    pub const BODY_PAUSE_MS: u64 = 5_000;
    pub const BODY_MS: u64 = 10_000;
    pub const BODY_BYTES_PER_MS: u64 = 256;
    /// Longest pause within a body that is streamed (an object, an image's layer): clients read from slow disks.
    pub const STREAM_PAUSE_MS: u64 = 60_000;

    /// How much of a refused body is read and discarded, for how long, and at how many connections at a time. A client that
    /// sends its whole body before it reads would otherwise see a connection reset instead of the answer.
    pub const DISCARDED_BYTES: usize = 1024 * 1024;
    pub const DISCARD_MS: u64 = 2_000;
    pub const DISCARDS: usize = 64;

    /// Elements and attributes of an XML body. S3's largest has 10,000 parts with up to nine elements each.
    pub const XML_NODES: usize = 100_000;
    /// Attributes of one element. Modelled ones have two.
    pub const XML_ATTRIBUTES: usize = 16;
    /// Values of a JSON or CBOR body, however nested. CloudWatch's largest has 1,000 metrics of 150 values, twice.
    pub const VALUES: usize = 400_000;
    /// Fields of a form, and the components of all their dotted names; each becomes a node of a tree.
    pub const FORM_FIELDS: usize = 20_000;
    pub const FORM_STEPS: usize = 50_000;
}

/// Bounds of service discovery.
pub mod discovery {
    /// AWS's own quotas.
    pub const INSTANCES_PER_SERVICE: usize = 1000;
    pub const ATTRIBUTES_PER_SERVICE: usize = 30;
    /// The characters of all attributes of an instance, keys and values together.
    pub const ATTRIBUTE_CHARS: usize = 5000;
    /// Operations that GetOperation finds: clients poll them for seconds. Bounds the table, as every task of ECS makes two.
    pub const OPERATIONS_KEPT: usize = 1000;
    pub const OPERATIONS_KEPT_MS: i64 = 24 * 3_600_000;
    /// Record sets that one call of ChangeResourceRecordSets changes: within its quota of records and of characters.
    pub const CHANGES_PER_CALL: usize = 200;
}

/// Bounds of what leaves the cloud's Internet through the host.
pub mod egress {
    /// TCP connections at a time, and UDP flows; each has two file descriptors. A NAT gateway of AWS carries 55,000 to one
    /// destination; one machine's applications need few.
    pub const CONNECTIONS: usize = 4096;
    pub const UDP_FLOWS: usize = 2048;
    /// Flows of one task through a NAT gateway, so that one task leaves places to the others behind the same gateway. AWS has no
    /// such limit, but 55,000 connections to each destination.
    pub const PER_TASK: usize = CONNECTIONS / 4;
    /// Connections whose far end or whose client has not answered yet. Far ends answer within tens of milliseconds, so this
    /// suffices for some 10,000 new connections a second; a flood of SYNs to silent addresses occupies no more.
    pub const DIALS: usize = 512;
    /// Sequences of ICMP echo requests.
    pub const ECHOES: usize = 128;
    /// How long the far end may take to answer, in milliseconds: it then has missed three SYNs. A client that waits longer
    /// repeats its own SYN, and the next attempt begins.
    pub const DIAL_MS: u64 = 10_000;
    /// How long a client may take to complete its handshake, in milliseconds. It is on the same machine.
    pub const ACCEPT_MS: u64 = 5_000;
    /// A connection without traffic for this long is probed, in milliseconds, and closed if the probes stay unanswered as long.
    pub const KEEPALIVE_MS: u64 = 60_000;
    /// The same towards the cloud, where a task whose network was removed sends no FIN. Longer than the idle timeout of a NAT gateway,
    /// which a probe would prevent.
    pub const NEAR_KEEPALIVE_MS: u64 = 400_000;
    /// Bytes that one side of a connection may be ahead of the network. More would only fill the kernel's memory.
    pub const NOT_SENT_BYTES: u32 = 256 * 1024;
    /// A UDP flow of one question and its answers ends after this long without traffic, in milliseconds: DNS clients use a new
    /// port for each question. Any other flow ends after two minutes, as in Linux's connection tracking.
    pub const UDP_SINGLE_MS: u64 = 10_000;
    pub const UDP_IDLE_MS: u64 = 120_000;
    /// How long replies to echo requests are waited for, in milliseconds.
    pub const ECHO_IDLE_MS: u64 = 10_000;
}

/// Bounds of the dns plane.
pub mod dns {
    /// Largest answer over UDP, in bytes, whatever the client offers: smaller than any path's MTU, so that
    /// an answer is never fragmented (DNS flag day 2020).
    pub const UDP_ANSWER_BYTES: usize = 1232;
    /// Links of a CNAME chain that one answer follows. A longer chain is as good as a loop.
    pub const CNAME_LINKS: usize = 16;
    /// Values of a multivalue answer, as documented by Route 53.
    pub const MULTIVALUE_ANSWERS: usize = 8;
    /// Packets a second that a VPC's resolver takes from one interface. AWS's own quota.
    pub const VPC_PACKETS_PER_SECOND: u32 = 1024;
    /// Largest page of hosted zones and of record sets, as documented by Route 53.
    pub const ZONES_PAGE: usize = 100;
    pub const RECORD_SETS_PAGE: usize = 300;
    /// Records that one batch of changes may carry, an UPSERT's counted twice; and the characters of all their
    /// values. AWS's own quotas.
    pub const BATCH_RECORDS: usize = 1000;
    pub const BATCH_VALUE_CHARS: usize = 32_000;
    /// How long GetChange finds a change: 30 days, in milliseconds. Bounds the table.
    pub const CHANGES_KEPT_MS: i64 = 30 * 24 * 3_600_000;
    /// Slots of the rate table; two clients that hash to one slot share its budget. Bounds its memory.
    pub const RATE_SLOTS: usize = 4096;
    /// TCP connections that one server keeps open. More wait in the listener's backlog.
    pub const TCP_CONNECTIONS: usize = 128;
    /// A TCP connection without a complete query for this long is closed, in milliseconds (RFC 7766 asks for
    /// "a few seconds").
    pub const TCP_IDLE_MS: u64 = 5_000;
    /// Queries that wait for the upstream at one time, per server. Further queries are answered SERVFAIL at once.
    pub const FORWARDS: usize = 256;
    /// How long one attempt at an upstream server may take, in milliseconds; there are two or three, and stub resolvers wait
    /// five seconds by default.
    pub const UPSTREAM_TRY_MS: u64 = 1_500;
    /// Upstream servers that are tried. As many as the C library reads from resolv.conf.
    pub const UPSTREAM_SERVERS: usize = 3;
    /// Links that one alias may need to reach its addresses, across zones.
    pub const ALIAS_LINKS: usize = 16;
}

/// Bounds of the signals of a CloudFormation wait condition; Escale's own, since AWS publishes none.
pub mod signals {
    /// One signal, as JSON.
    pub const BODY_BYTES: usize = 8 * 1024;
    /// The signals of one handle, all of which are stored.
    pub const OF_A_HANDLE: usize = 256;
    /// Requests whose bodies are in memory at the same time.
    pub const AT_ONCE: usize = 64;
    /// How long a client may take to send its signal, in milliseconds.
    pub const WITHIN_MS: u64 = 10_000;
    /// AWS's longest timeout.
    /// Source: <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-waitcondition.html>
    pub const TIMEOUT_SECS: u32 = 43_200;
}

/// Bounds of a CloudFormation template. AWS's own quotas where it publishes one.
/// Source: <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>
pub mod template {
    /// Passed in the request.
    pub const BODY_BYTES: usize = 51_200;
    /// Fetched from S3.
    pub const FILE_BYTES: usize = 1_048_576;
    pub const RESOURCES: usize = 500;
    pub const PARAMETERS: usize = 200;
    pub const OUTPUTS: usize = 200;
    pub const MAPPINGS: usize = 200;
    pub const PARAMETER_BYTES: usize = 4096;
    pub const LOGICAL_ID_CHARS: usize = 255;
    pub const DESCRIPTION_BYTES: usize = 1024;
    /// Levels of nested `Fn::ForEach`. Source: AWS's RFC of the function,
    /// <https://github.com/aws-cloudformation/cfn-language-discussion/blob/main/RFCs/0009-Fn%3A%3AForEach.md>
    pub const LOOPS: usize = 5;
    /// Nesting depth; Escale's own bound, so that no template can exhaust the stack.
    pub const DEPTH: usize = 100;
}

/// How long a client on this machine waits for a connection to it, in milliseconds. Loopback accepts or refuses at once;
/// only a firewall that drops packets does not.
pub const LOCAL_CONNECT_MS: u64 = 5_000;
