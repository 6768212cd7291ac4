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

/// Connections that one loopback forwarder carries at a time: enough for any load test from one machine, and
/// bounds the descriptors that a leaking client can take (two each).
pub const FORWARDED_CONNECTIONS: usize = 4096;
