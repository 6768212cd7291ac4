//! The faults of nodes of the fake.

/// What plans cannot see: how a node of the fake is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The server has ended, and each start fails.
    CannotStart,
    Frozen,
    /// Statements are answered, and nothing is flushed.
    DiskStuck,
    /// No packet reaches the node or leaves it.
    Cut,
    /// Frozen and cut off at once.
    ZoneLost,
}
