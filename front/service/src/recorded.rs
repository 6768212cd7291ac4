//! Parameters that are stored and have no effect.

/// A parameter or property that cannot have an effect on one machine. It is stored and shown again; `escale coverage`
/// prints it with its reason. All others are either enacted or refused.
#[derive(Clone, Copy, Debug)]
pub struct Recorded {
    /// `Operation.Member` or `AWS::Type::Name.Property`, followed by `/Member` for a member below it, or by `=` and a pattern for
    /// the only values without effect.
    pub name: &'static str,
    /// Why it has no effect here.
    pub reason: &'static str,
}
