//! Writes a template as YAML, with the short forms of the common functions (`!Ref`, `!GetAtt`, `!Sub`).

use serde_json::Value;
use std::fmt::Write;

pub(super) fn write(value: &Value) -> String {
    let mut out = String::new();
    block(&mut out, value, 0);
    out
}

/// Writes a map or a list as lines, each indented.
fn block(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                pad(out, indent);
                let _ = write!(out, "{}:", word(key)); // writing to a String cannot fail
                below(out, value, indent);
            }
        }
        Value::Array(items) => {
            for item in items {
                pad(out, indent);
                out.push('-');
                if inline(item).is_some() {
                    below(out, item, indent);
                } else {
                    // the first line of the item follows its dash
                    let mut text = String::new();
                    block(&mut text, item, indent + 2);
                    out.push(' ');
                    out.push_str(text.trim_start());
                }
            }
        }
        _ => {}
    }
}

fn below(out: &mut String, value: &Value, indent: usize) {
    match inline(value) {
        Some(text) => {
            let _ = writeln!(out, " {text}");
        }
        None => {
            out.push('\n');
            block(out, value, indent + 2);
        }
    }
}

/// Values that fit on the key's line: scalars, empty collections, functions with a short form.
fn inline(value: &Value) -> Option<String> {
    match value {
        Value::Object(members) if members.is_empty() => Some("{}".into()),
        Value::Array(items) if items.is_empty() => Some("[]".into()),
        Value::Object(members) if members.len() == 1 => {
            let (key, argument) = members.iter().next()?;
            match (key.as_str(), argument) {
                ("Ref", Value::String(id)) => Some(format!("!Ref {}", word(id))),
                ("Fn::Sub", Value::String(text)) => Some(format!("!Sub {}", word(text))),
                ("Fn::GetAZs", Value::String(region)) => Some(format!("!GetAZs {}", word(region))),
                ("Fn::GetAtt", Value::Array(path)) => {
                    let [Value::String(id), Value::String(attribute)] = path.as_slice() else { return None };
                    Some(format!("!GetAtt {id}.{attribute}"))
                }
                _ => None,
            }
        }
        Value::Object(_) | Value::Array(_) => None,
        Value::String(text) => Some(word(text)),
        other => Some(other.to_string()),
    }
}

/// A string, unquoted where it cannot be read as anything else, otherwise quoted as in JSON, which is valid YAML.
fn word(text: &str) -> String {
    let bare = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_./:-".contains(c))
        && !text.ends_with(':')
        && !["true", "false", "yes", "no", "on", "off", "null", "y", "n"]
            .contains(&text.to_lowercase().as_str());
    if bare { text.to_owned() } else { Value::from(text).to_string() }
}

fn pad(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}
