//! Paging with IAM's parameters: `Marker`, `MaxItems`, `IsTruncated`.

use crate::Error;
use escale_base::{limits, paging};

/// A page of a list.
pub(crate) struct Cut<T> {
    pub items: Vec<T>,
    pub is_truncated: bool,
    pub marker: Option<String>,
}

/// Cuts one page out of `all`, which must be in the order of `key`.
pub(crate) fn cut<T>(
    all: impl IntoIterator<Item = T>,
    key: impl Fn(&T) -> String,
    marker: Option<&str>,
    max_items: Option<usize>,
) -> Result<Cut<T>, Error> {
    let page = paging::page(all, key, marker, max_items.unwrap_or(limits::PAGE_DEFAULT))
        .map_err(|_| Error::Validation("Invalid Marker.".to_owned()))?;
    Ok(Cut { items: page.items, is_truncated: page.next.is_some(), marker: page.next })
}
