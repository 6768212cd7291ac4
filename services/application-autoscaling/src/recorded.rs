//! Parameters that Application Auto Scaling stores and that have no effect.

use escale_service::Recorded;

pub(crate) const RECORDED: &[Recorded] = &[];
