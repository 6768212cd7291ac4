//! `Filters`, and paging by `Marker`.

use crate::Error;
use escale_base::{
    Wire,
    paging::{self, Page},
};

#[derive(Clone, Debug, Wire)]
pub(crate) struct Filter {
    pub name: String,
    pub values: Vec<String>,
}

/// Whether a row passes all filters. `values_of` returns `None` for a filter that the operation does not have.
pub(crate) fn passes(
    filters: &[Filter],
    values_of: impl Fn(&str) -> Option<Vec<String>>,
) -> Result<bool, Error> {
    for filter in filters {
        let values = values_of(&filter.name)
            .ok_or_else(|| Error::Value(format!("Unrecognized filter name: {}", filter.name)))?;
        if !filter.values.iter().any(|v| values.contains(v)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// One page of 20 to 100 records; 100 is the default.
pub(crate) fn page<T>(
    all: impl IntoIterator<Item = T>,
    key: impl Fn(&T) -> String,
    marker: Option<&str>,
    max_records: Option<usize>,
) -> Result<Page<T>, Error> {
    let size = max_records.unwrap_or(100);
    if !(20..=100).contains(&size) {
        return Err(Error::Value(format!("Invalid value {size} for MaxRecords. Must be between 20 and 100")));
    }
    Ok(paging::page(all, key, marker.filter(|m| !m.is_empty()), size)?)
}
