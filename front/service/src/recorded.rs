//! What is taken and kept, and has no effect.

/// A parameter or property that can have no effect on one machine. It is stored and shown again; `escale coverage`
/// prints it with its reason. Everything else is either enacted or refused.
#[derive(Clone, Copy, Debug)]
pub struct Recorded {
    /// `Operation.Member` or `AWS::Type::Name.Property`.
    pub name: &'static str,
    /// Why it has no effect here.
    pub reason: &'static str,
}
