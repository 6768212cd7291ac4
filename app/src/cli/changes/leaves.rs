//! The places in which two values of a property differ.

use serde_json::Value;

/// A line shows so many places of one property.
const MOST: usize = 3;

/// The property's change in one line: `Environment.LOG_LEVEL info → debug`.
pub(super) fn line(name: &str, before: &str, after: &str) -> String {
    match (structure(before), structure(after)) {
        (Some(old), Some(new)) => {
            let mut found = Vec::new();
            compare(String::new(), Some(&old), Some(&new), &mut found);
            let more = found.len().saturating_sub(MOST);
            found.truncate(MOST);
            let more = if more > 0 { format!(", {more} more") } else { String::new() };
            format!("{name} {}{more}", found.join(", "))
        }
        _ => format!(
            "{name} {}",
            from_to(Some(before).filter(|b| !b.is_empty()), Some(after).filter(|a| !a.is_empty()))
        ),
    }
}

fn structure(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok().filter(|value: &Value| value.is_object() || value.is_array())
}

fn compare(path: String, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<String>) {
    match (before, after) {
        (Some(a), Some(b)) if a == b => {}
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let added = new.keys().filter(|key| !old.contains_key(*key));
            for key in old.keys().chain(added) {
                compare(joined(&path, key), old.get(key), new.get(key), found);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new)))
            if old.iter().chain(new).all(|i| key_of(i).is_some()) =>
        {
            let find =
                |items: &[Value], key: &str| items.iter().find(|item| key_of(item) == Some(key)).cloned();
            let keys =
                |items: &'_ [Value]| items.iter().filter_map(key_of).map(str::to_owned).collect::<Vec<_>>();
            let (olds, news) = (keys(old), keys(new));
            let added = news.iter().filter(|key| !olds.contains(key));
            for key in olds.iter().chain(added) {
                let (old, new) = (find(old, key), find(new, key));
                compare(joined(&path, key), old.as_ref(), new.as_ref(), found);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) if old.len() == new.len() => {
            for (at, (old, new)) in old.iter().zip(new).enumerate() {
                compare(joined(&path, &at.to_string()), Some(old), Some(new), found);
            }
        }
        (before, after) => {
            let path = path.strip_suffix(".Value").unwrap_or(&path);
            let (before, after) = (before.map(text), after.map(text));
            found.push(
                format!("{path} {}", from_to(before.as_deref(), after.as_deref())).trim_start().to_owned(),
            );
        }
    }
}

fn joined(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// The name by which items of AWS's lists are known.
fn key_of(item: &Value) -> Option<&str> {
    ["Name", "Key", "Id", "PolicyName", "PathPattern"].iter().find_map(|name| item.get(name)?.as_str())
}

fn text(value: &Value) -> String {
    match (value.get("Value"), value) {
        // An item of a list of names and values.
        (Some(Value::String(inner)), _) | (None, Value::String(inner)) => inner.clone(),
        _ => value.to_string(),
    }
}

fn from_to(before: Option<&str>, after: Option<&str>) -> String {
    match (before, after) {
        (_, Some(super::LATER)) => "(known later)".into(),
        (Some(before), Some(after)) => format!("{} → {}", short(before), short(after)),
        (None, Some(after)) => format!("added: {}", short(after)),
        (Some(_), None) => "removed".into(),
        (None, None) => String::new(),
    }
}

fn short(text: &str) -> String {
    const MOST: usize = 48;
    // Of an image's name the end is what changes.
    let text = text.rsplit_once('/').filter(|(head, _)| head.contains("ecr")).map_or(text, |(_, tail)| tail);
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn names_the_places_that_differ() {
        for (before, after, expected) in [
            ("2", "3", "P 2 → 3"),
            ("", "x", "P added: x"),
            ("x", "", "P removed"),
            ("a", "{{changeSet:KNOWN_AFTER_APPLY}}", "P (known later)"),
            (
                r#"[{"Name":"web","Image":"h.dkr.ecr.r/web:1","Environment":[{"Name":"A","Value":"1"},{"Name":"B","Value":"2"}]}]"#,
                r#"[{"Name":"web","Image":"h.dkr.ecr.r/web:2","Environment":[{"Name":"A","Value":"1"},{"Name":"B","Value":"3"},{"Name":"C","Value":"4"}]}]"#,
                "P web.Image web:1 → web:2, web.Environment.B 2 → 3, web.Environment.C added: 4",
            ),
            (r#"{"A":[1,2],"B":1}"#, r#"{"A":[1,3]}"#, "P A.1 2 → 3, B removed"),
            (r#"[1]"#, r#"[1,2]"#, "P [1] → [1,2]"),
        ] {
            assert_eq!(line("P", before, after), expected);
        }
    }
}
