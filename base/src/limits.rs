//! Every bound of a queue, cache, retry or body, with its reason. AWS's own quotas are named as such.

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

/// Answers a page when the client names no number. Most of AWS's describe calls say 100 or 1,000.
pub const PAGE_DEFAULT: usize = 100;

/// Signing keys kept by who verifies signatures. Each is 64 bytes and saves four HMACs a request; one is made per
/// secret, day, region and service, so a full cache means a day has passed and it is emptied.
pub const SIGNING_KEYS: usize = 4096;

/// Longest chunk header, and longest trailer, of a body in `aws-chunked` framing. Real ones have some 100 bytes.
pub const CHUNK_LINE_BYTES: usize = 4096;
/// Connections that one loopback forwarder carries at a time: enough for any load test from one machine, and
/// bounds the descriptors that a leaking client can take (two each).
pub const FORWARDED_CONNECTIONS: usize = 4096;
