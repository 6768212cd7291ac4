//! The parameters that Acm stores and shows without effect, with the reason.

use escale_service::Recorded;

pub(crate) const RECORDED: &[Recorded] = &[];
