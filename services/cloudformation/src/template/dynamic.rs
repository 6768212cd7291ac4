//! Dynamic references, `{{resolve:service:…}}`. This module finds and replaces them; its caller resolves them.

use super::error::TemplateError;
use serde_json::Value;

/// The source of a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DynamicReference {
    /// A plain parameter; without a version the latest.
    Ssm { name: String, version: Option<u64> },
    /// A parameter of type SecureString.
    SsmSecure { name: String, version: Option<u64> },
    Secret {
        /// Name or ARN.
        id: String,
        /// A key of the secret's JSON; without it the whole string.
        json_key: Option<String>,
        version_stage: Option<String>,
        version_id: Option<String>,
    },
}

/// All references in the strings of a value, each once, in order of appearance.
pub fn find(value: &Value) -> Result<Vec<DynamicReference>, TemplateError> {
    let mut found = Vec::new();
    replace(value, &mut |reference| {
        if !found.contains(reference) {
            found.push(reference.clone());
        }
        Ok::<_, TemplateError>(String::new())
    })?;
    Ok(found)
}

/// The value with every reference replaced by the result of `resolve`.
pub fn replace<E: From<TemplateError>>(
    value: &Value,
    resolve: &mut dyn FnMut(&DynamicReference) -> Result<String, E>,
) -> Result<Value, E> {
    Ok(match value {
        Value::String(text) => replace_in(text, resolve)?.into(),
        Value::Array(items) => items.iter().map(|item| replace(item, resolve)).collect::<Result<_, E>>()?,
        Value::Object(object) => {
            let entry = |(key, value): (&String, &Value)| Ok((key.clone(), replace(value, &mut *resolve)?));
            Value::Object(object.iter().map(entry).collect::<Result<_, E>>()?)
        }
        other => other.clone(),
    })
}

fn replace_in<E: From<TemplateError>>(
    mut text: &str,
    resolve: &mut dyn FnMut(&DynamicReference) -> Result<String, E>,
) -> Result<String, E> {
    const OPEN: &str = "{{resolve:";
    let mut done = String::new();
    while let Some(start) = text.find(OPEN) {
        // Without an end it is plain text.
        let Some(length) = text[start..].find("}}") else { break };
        done.push_str(&text[..start]);
        done.push_str(&resolve(&parse(&text[start + OPEN.len()..start + length])?)?);
        text = &text[start + length + 2..];
    }
    done.push_str(text);
    Ok(done)
}

fn parse(inner: &str) -> Result<DynamicReference, TemplateError> {
    let wrong = || {
        TemplateError::plain(format!(
            "Incorrect format is used in the following dynamic reference: [{{{{resolve:{inner}}}}}]"
        ))
    };
    let (service, rest) = inner.split_once(':').ok_or_else(wrong)?;
    match service {
        "ssm" | "ssm-secure" => {
            // An ARN has colons of its own: its last part is a version only if it is a number.
            let (name, version) = match rest.rsplit_once(':') {
                Some((name, version)) if !rest.starts_with("arn:") || version.parse::<u64>().is_ok() => {
                    (name, Some(version.parse().map_err(|_| wrong())?))
                }
                _ => (rest, None),
            };
            if name.is_empty() {
                return Err(wrong());
            }
            let name = name.to_owned();
            Ok(match service {
                "ssm" => DynamicReference::Ssm { name, version },
                _ => DynamicReference::SsmSecure { name, version },
            })
        }
        "secretsmanager" => {
            let fields: Vec<&str> = rest.split(':').collect();
            // The seven parts of an ARN contain colons; a name has none.
            let (id, fields) =
                fields.split_at(if rest.starts_with("arn:") { 7.min(fields.len()) } else { 1 });
            let field = |at: usize| fields.get(at).filter(|f| !f.is_empty()).map(|f| (*f).to_owned());
            let known = field(0).is_none_or(|f| f == "SecretString");
            // A stage and a version id exclude each other.
            let both = field(2).is_some() && field(3).is_some();
            if id.concat().is_empty() || !known || fields.len() > 4 || both {
                return Err(wrong());
            }
            Ok(DynamicReference::Secret {
                id: id.join(":"),
                json_key: field(1),
                version_stage: field(2),
                version_id: field(3),
            })
        }
        _ => Err(wrong()),
    }
}
