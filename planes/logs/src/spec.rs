//! The complete interface of the log plane, as plain data.

use escale_base::Timestamp;

/// A message to store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub at: Timestamp,
    pub text: String,
}

/// A position in the order of messages. It identifies a message, so it stays valid while others are added or dropped.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub at: Timestamp,
    pub stream: String,
    /// Counts the messages of a stream in the order of their arrival.
    pub number: u64,
}

/// Which messages to read, and from which position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Inclusive lower bound.
    pub from: Option<Timestamp>,
    /// Exclusive upper bound.
    pub until: Option<Timestamp>,
    /// Continue after this message (in the direction of reading).
    pub after: Option<Position>,
    /// From the newest to the oldest.
    pub backward: bool,
    pub pattern: Pattern,
    /// Largest number of messages to return.
    pub limit: usize,
}

/// A filter by text: it must contain all of `all`, at least one of `any` unless that is empty, none of `none`. Case-sensitive.
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

/// A stored message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub position: Position,
    pub arrived: Timestamp,
    pub text: String,
}

/// One page of the answer, in the direction of reading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    pub messages: Vec<Kept>,
    /// Whether there may be more; then continue after [`Page::last`].
    pub more: bool,
    /// The last message examined, whether or not it matched.
    pub last: Option<Position>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The time of the first stored message; `None` when none is left.
    pub first: Option<Timestamp>,
    pub last: Option<Timestamp>,
    pub last_arrival: Timestamp,
    /// Messages ever received.
    pub count: u64,
    /// Bytes of the stored messages.
    pub bytes: u64,
    /// Number of stored messages.
    pub kept: u64,
}

/// The size of a message besides its text: its position and its time. Otherwise a billion empty lines would count as nothing.
pub const MESSAGE_BYTES: u64 = 48;

/// Messages that one read examines. A filter that matches rarely must not occupy a reader for minutes: the caller gets an
/// empty page, and continues.
pub const SCANNED_PER_READ: usize = 100_000;
