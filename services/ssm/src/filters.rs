//! `ParameterFilters` of DescribeParameters and GetParametersByPath.

use crate::Error;
use escale_base::Wire;
use escale_tables::ssm::Parameter;

#[derive(Clone, Debug, Wire)]
pub(crate) struct Filter {
    pub key: String,
    pub option: Option<String>,
    pub values: Vec<String>,
}

/// Whether a parameter passes all filters.
pub(crate) fn passes(row: &Parameter, filters: &[Filter]) -> Result<bool, Error> {
    for filter in filters {
        if !matches(row, filter)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn matches(row: &Parameter, filter: &Filter) -> Result<bool, Error> {
    let option = filter.option.as_deref();
    let compare = |value: &str| -> Result<bool, Error> {
        Ok(match option.unwrap_or("Equals") {
            "Equals" => filter.values.iter().any(|v| v == value),
            "BeginsWith" => filter.values.iter().any(|v| value.starts_with(v.as_str())),
            "Contains" => filter.values.iter().any(|v| value.contains(v.as_str())),
            other => return Err(Error::FilterOption(other.to_owned())),
        })
    };
    match filter.key.as_str() {
        // As on AWS, a name also matches without its leading slash.
        "Name" => Ok(compare(&row.name)? || compare(row.name.trim_start_matches('/'))?),
        "Type" => compare(row.kind.as_str()),
        "KeyId" => row.key_id.as_deref().map_or(Ok(false), compare),
        "Tier" => compare(row.tier.as_str()),
        "DataType" => compare("text"),
        "Path" => match option.unwrap_or("OneLevel") {
            "OneLevel" => Ok(filter.values.iter().any(|path| below(&row.name, path, false))),
            "Recursive" => Ok(filter.values.iter().any(|path| below(&row.name, path, true))),
            other => Err(Error::FilterOption(other.to_owned())),
        },
        key => match key.strip_prefix("tag:") {
            Some(tag) => match row.tags.iter().find(|t| t.key == tag) {
                None => Ok(false),
                Some(_) if filter.values.is_empty() => Ok(true),
                Some(tag) => compare(&tag.value),
            },
            None => Err(Error::FilterKey(key.to_owned())),
        },
    }
}

/// Whether a name is below a path, directly or, with `recursive`, at any depth.
pub(crate) fn below(name: &str, path: &str, recursive: bool) -> bool {
    let path = path.trim_end_matches('/');
    match name.strip_prefix(path).and_then(|rest| rest.strip_prefix('/')) {
        Some(rest) => recursive || !rest.contains('/'),
        None => path.is_empty() && (recursive || !name.trim_start_matches('/').contains('/')),
    }
}

#[cfg(test)]
mod tests {
    use super::below;

    #[test]
    fn matches_paths() {
        for (name, path, recursive, hit) in [
            ("/a/b", "/a", false, true),
            ("/a/b/c", "/a", false, false),
            ("/a/b/c", "/a/", true, true),
            ("/ab", "/a", true, false),
            ("/a", "/", false, true),
            ("/a/b", "/", false, false),
            ("/a/b", "/", true, true),
            ("plain", "/", false, true),
        ] {
            assert_eq!(below(name, path, recursive), hit, "{name} {path}");
        }
    }
}
