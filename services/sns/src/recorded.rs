//! Parameters that SNS stores and that have no effect.

use escale_service::Recorded;

pub(crate) const RECORDED: &[Recorded] = &[];
