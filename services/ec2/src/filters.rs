//! The `Filters` of describe operations.

use crate::Error;
use escale_base::{
    Tag, Wire,
    glob::{Glob, One},
    paging,
};

#[derive(Clone, Debug, Wire)]
pub(crate) struct Filter {
    pub name: String,
    pub values: Vec<String>,
}

/// How a filter's values are matched: `*` and `?` are wildcards.
const GLOB: Glob = Glob { one: One::Character, ignore_case: false, escape: false };

/// Whether a row passes all filters. `value_of` returns the row's values for a filter name, or `None` if the operation has no such
/// filter; the request then fails, as on AWS.
pub(crate) fn passes(
    filters: &[Filter],
    tags: &[Tag],
    value_of: impl Fn(&str) -> Option<Vec<String>>,
) -> Result<bool, Error> {
    // All filters must match; the values of one filter are alternatives.
    for filter in filters {
        let values = match filter.name.as_str() {
            "tag-key" => tags.iter().map(|t| t.key.clone()).collect(),
            name => match name.strip_prefix("tag:") {
                Some(key) => tags.iter().filter(|t| t.key == key).map(|t| t.value.clone()).collect(),
                None => value_of(name).ok_or_else(|| Error::Invalid {
                    parameter: "Filter",
                    value: name.to_owned(),
                    why: format!("This operation has no filter '{name}'."),
                })?,
            },
        };
        if !filter.values.iter().any(|pattern| values.iter().any(|v| GLOB.matches(pattern, v))) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// AWS's page size when the request sets none.
const PAGE: usize = 1000;

/// Cuts one page out of the results, which must be in the order of their keys.
pub(crate) fn page<T>(
    found: Vec<T>,
    key: impl Fn(&T) -> String,
    token: Option<String>,
    size: Option<usize>,
) -> Result<(Vec<T>, Option<String>), Error> {
    let page = paging::page(found, key, token.as_deref(), size.unwrap_or(PAGE))?;
    Ok((page.items, page.next))
}

/// One value of a filter.
pub(crate) fn one(value: impl ToString) -> Option<Vec<String>> {
    Some(vec![value.to_string()])
}

/// The values of a filter on an optional field.
pub(crate) fn maybe(value: Option<impl ToString>) -> Option<Vec<String>> {
    Some(value.iter().map(ToString::to_string).collect())
}

/// The values of a filter on a list.
pub(crate) fn many<T: ToString>(values: impl IntoIterator<Item = T>) -> Option<Vec<String>> {
    Some(values.into_iter().map(|v| v.to_string()).collect())
}
