//! Converts an operation's answer to a resource's properties, for the detection of drift.

use escale_base::{
    Tag,
    wire::{Map, Value, Wire},
};

/// The properties of a type that an answer, or a part of one, describes: see [`escale_schema::Schema::fit`]. `renamed` lists
/// pairs `(property, member)`; a type's rename table for inputs can be used again.
pub fn properties_of<T: Wire>(type_name: &str, answer: &T, renamed: &[(&str, &str)]) -> Map<String, Value> {
    match (escale_schema::schema(type_name), answer.write()) {
        (Some(schema), Value::Object(members)) => schema.fit(&members, renamed),
        (None, Value::Object(members)) => members,
        _ => Map::new(),
    }
}

/// A resource's tags as its template has them, without those that only AWS sets (`aws:cloudformation:stack-name`).
pub fn own_tags(tags: &[Tag]) -> Value {
    tags.iter().filter(|tag| !tag.key.starts_with("aws:")).map(Wire::write).collect()
}
