//! All that the log plane can be told and answers, as plain data.

use escale_base::Timestamp;

/// A message to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub at: Timestamp,
    pub text: String,
}

/// A place in the order of messages. It names a message, so it stays valid while others come and go.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub at: Timestamp,
    pub stream: String,
    /// Counts the messages of a stream as they arrived.
    pub number: u64,
}

/// Which messages, and from where on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// The first moment that counts.
    pub from: Option<Timestamp>,
    /// The first moment that counts no more.
    pub until: Option<Timestamp>,
    /// Go on behind this message (in the direction of reading).
    pub after: Option<Position>,
    /// From the newest to the oldest.
    pub backward: bool,
    pub pattern: Pattern,
    /// Messages given at most.
    pub limit: usize,
}

/// Which texts: all of `all`, at least one of `any` unless it is empty, none of `none`. Case counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pattern {
    pub all: Vec<String>,
    pub any: Vec<String>,
    pub none: Vec<String>,
}

impl Pattern {
    pub fn matches(&self, text: &str) -> bool {
        self.all.iter().all(|t| text.contains(t.as_str()))
            && (self.any.is_empty() || self.any.iter().any(|t| text.contains(t.as_str())))
            && !self.none.iter().any(|t| text.contains(t.as_str()))
    }
}

/// A message as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub position: Position,
    pub arrived: Timestamp,
    pub text: String,
}

/// A piece of the answer, in the direction of reading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    pub messages: Vec<Kept>,
    /// Whether there may be more behind it; then go on after [`Page::last`].
    pub more: bool,
    /// The last message looked at, given or not.
    pub last: Option<Position>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Of the messages kept; `None` when all are gone.
    pub first: Option<Timestamp>,
    pub last: Option<Timestamp>,
    pub last_arrival: Timestamp,
    /// Messages ever given.
    pub count: u64,
    /// Bytes of the messages kept.
    pub bytes: u64,
    /// Messages kept.
    pub kept: u64,
}

/// What a message takes besides its text: its place in the order and its time. Without it a billion empty lines would be nothing.
pub const MESSAGE_BYTES: u64 = 48;

/// Messages that one read looks at. A pattern that matches rarely must not hold a reader for minutes: it gets an
/// empty page, and goes on.
pub const SCANNED_PER_READ: usize = 100_000;
