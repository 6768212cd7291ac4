//! Cases of the suite that do not turn round.

pub(crate) const SKIPPED: &[(&str, &str)] = &[];
