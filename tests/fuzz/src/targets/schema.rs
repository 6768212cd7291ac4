//! Properties of resources in templates, against the schema of their type. The first line is the type's name, the rest JSON.

use serde_json::Value;

pub(crate) fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Some((type_name, json)) = text.split_once('\n') else { return };
    let Some(schema) = escale_schema::schema(type_name) else { return };
    let Ok(Value::Object(properties)) = serde_json::from_str(json) else { return };
    let Ok(coerced) = schema.coerce(&properties) else { return };
    // What the schema allows it allows again, unchanged: updates compare coerced properties.
    assert_eq!(schema.coerce(&coerced).ok().as_ref(), Some(&coerced), "{type_name}");
}
