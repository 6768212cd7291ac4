//! Compares a resource's properties as they should be with those that its service shows. Pure.

use super::pairs::Pairs;
use crate::evaluation;
use escale_base::Tag;
use escale_schema::Schema;
use escale_service::ResourceType;
use escale_tables::cloudformation::{DifferenceType, PropertyDifference, PropertyPath};
use serde_json::{Map, Value, json};

/// One resource's expected properties.
pub(super) struct Comparison {
    schema: Option<&'static Schema>,
    /// As the template has them.
    written: Map<String, Value>,
    /// In the form in which the service returns them.
    expected: Map<String, Value>,
    tags_property: Option<&'static str>,
}

/// A place in the properties: as a response names it, and as a schema does, with `*` for an item.
#[derive(Clone, Default)]
struct Place {
    shown: String,
    schema: Vec<String>,
}

impl Place {
    fn member(&self, name: &str) -> Place {
        let mut below = self.clone();
        // As in a JSON pointer, which AWS's paths are.
        below.shown = format!("{}/{}", self.shown, name.replace('~', "~0").replace('/', "~1"));
        below.schema.push(name.to_owned());
        below
    }

    fn item(&self, at: usize) -> Place {
        let mut below = self.clone();
        below.shown = format!("{}/{at}", self.shown);
        below.schema.push("*".to_owned());
        below
    }
}

impl Comparison {
    /// `properties` are those that the template sets, `tags` those of the stack, which the resource has, too.
    pub(super) fn new(kind: &ResourceType, properties: &Map<String, Value>, tags: &[Tag]) -> Comparison {
        let schema = escale_schema::schema(kind.name);
        let is_readable = |name: &str| schema.is_none_or(|schema| !schema.is_write_only(&[name]));
        let readable = properties.iter().filter(|(name, _)| is_readable(name));
        let mut expected: Map<String, Value> =
            readable.map(|(name, value)| (name.clone(), value.clone())).collect();
        if let Some(property) = kind.tags_property() {
            let own = expected.remove(property);
            let is_map = schema.is_some_and(|schema| schema.is_free(&[property]));
            expected.extend(with_tags(own, tags, is_map).map(|all| (property.to_owned(), all)));
        }
        let written = expected.clone();
        (kind.normalize)(&mut expected);
        Comparison { schema, written, expected, tags_property: kind.tags_property() }
    }

    /// The expected properties for a response.
    pub(super) fn shown(&self) -> Map<String, Value> {
        self.written.iter().map(|(name, value)| (name.clone(), evaluation::shown(value))).collect()
    }

    /// The actual properties for a response, limited to what the template sets, and the differences.
    pub(super) fn with(
        &self,
        mut actual: Map<String, Value>,
    ) -> (Map<String, Value>, Vec<PropertyDifference>) {
        if let Some(tags) = self.tags_property.and_then(|property| actual.get_mut(property)) {
            remove_tags_of_aws(tags);
        }
        let mut differences = Vec::new();
        let mut shown = Map::new();
        for (name, expected) in &self.expected {
            let place = Place::default().member(name);
            let is = self.compare(&place, expected, actual.get(name), &mut differences);
            shown.extend(is.map(|value| (name.clone(), value)));
        }
        (shown, differences)
    }

    /// Adds the differences between two values and returns the actual one as a response shows it.
    fn compare(
        &self,
        place: &Place,
        expected: &Value,
        actual: Option<&Value>,
        differences: &mut Vec<PropertyDifference>,
    ) -> Option<Value> {
        if !is_comparable(expected) || self.is_write_only(place) {
            // The actual value may be a secret.
            return actual.map(|_| evaluation::shown(expected));
        }
        let Some(actual) = actual else {
            // A list without items is no list for most services.
            if !is_empty(expected) {
                differences.push(difference(place, DifferenceType::Remove, expected, &Value::Null));
            }
            return None;
        };
        match (document(expected, actual), document(actual, expected)) {
            (Value::Object(expected), Value::Object(actual)) => {
                Some(self.objects(place, &expected, &actual, differences))
            }
            (Value::Array(expected), Value::Array(actual)) => {
                Some(self.lists(place, &expected, &actual, differences))
            }
            // Policies may have a single value in place of a list of one.
            (Value::Array(expected), actual) if self.is_free(place) && !actual.is_null() => {
                Some(self.lists(place, &expected, &[actual], differences))
            }
            (expected, Value::Array(actual)) if self.is_free(place) && !expected.is_null() => {
                Some(self.lists(place, &[expected], &actual, differences))
            }
            (expected, actual) => {
                if !self.same_scalar(place, &expected, &actual) {
                    differences.push(difference(place, DifferenceType::NotEqual, &expected, &actual));
                }
                Some(actual)
            }
        }
    }

    fn objects(
        &self,
        place: &Place,
        expected: &Map<String, Value>,
        actual: &Map<String, Value>,
        differences: &mut Vec<PropertyDifference>,
    ) -> Value {
        let mut shown = Map::new();
        for (name, value) in expected {
            let is = self.compare(&place.member(name), value, actual.get(name), differences);
            shown.extend(is.map(|value| (name.clone(), value)));
        }
        // In a structure the service shows its defaults for members that the template does not set.
        if self.is_free(place) {
            for (name, value) in actual.iter().filter(|(name, _)| !expected.contains_key(*name)) {
                let place = place.member(name);
                differences.push(difference(&place, DifferenceType::Add, &Value::Null, value));
                shown.insert(name.clone(), value.clone());
            }
        }
        Value::Object(shown)
    }

    fn lists(
        &self,
        place: &Place,
        expected: &[Value],
        actual: &[Value],
        differences: &mut Vec<PropertyDifference>,
    ) -> Value {
        if expected.iter().any(|item| !is_comparable(item)) {
            return expected.iter().map(evaluation::shown).collect();
        }
        let item_place = place.item(0);
        let are_equal = |one: &Value, other: &Value| {
            let mut found = Vec::new();
            self.compare(&item_place, one, Some(other), &mut found);
            found.is_empty()
        };
        let Pairs { of_expected, added } = Pairs::new(expected, actual, are_equal);
        let has_secrets = expected.iter().any(has_secret);
        let mut shown = vec![Value::Null; actual.len()];
        for ((at, item), partner) in expected.iter().enumerate().zip(of_expected) {
            let is = partner.map(|partner| &actual[partner]);
            let value = self.compare(&place.item(at), item, is, differences);
            if let (Some(partner), Some(value)) = (partner, value) {
                shown[partner] = value;
            }
        }
        for at in added {
            // It may be an expected item with another name, and contain its secret.
            shown[at] = if has_secrets { masked(&actual[at]) } else { actual[at].clone() };
            differences.push(difference(&place.item(at), DifferenceType::Add, &Value::Null, &shown[at]));
        }
        Value::Array(shown)
    }

    fn is_write_only(&self, place: &Place) -> bool {
        let path: Vec<&str> = place.schema.iter().map(String::as_str).collect();
        self.schema.is_some_and(|schema| schema.is_write_only(&path))
    }

    fn is_free(&self, place: &Place) -> bool {
        let path: Vec<&str> = place.schema.iter().map(String::as_str).collect();
        self.schema.is_none_or(|schema| schema.is_free(&path))
    }

    fn same_scalar(&self, place: &Place, expected: &Value, actual: &Value) -> bool {
        if expected == actual {
            return true;
        }
        let (Some(one), Some(other)) = (scalar(expected), scalar(actual)) else { return false };
        if actual.is_number() && one.parse::<f64>().ok() == actual.as_f64() {
            // A threshold of 50 is stored as 50.0.
            return true;
        }
        if actual.is_boolean() {
            // A template may have `True`.
            return one.eq_ignore_ascii_case(&other);
        }
        // A domain name means the same with a final dot, which Route 53 adds.
        let same = |one: &str, other: &str| {
            one == other || one.strip_suffix('.').unwrap_or(one) == other.strip_suffix('.').unwrap_or(other)
        };
        let is_identifier = matches!(place.schema.as_slice(), [property]
            if self.schema.is_some_and(|schema| schema.is_identifier(property)));
        // Services such as RDS convert identifiers to lower case.
        same(&one, &other) || is_identifier && one.eq_ignore_ascii_case(&other)
    }
}

/// Whether the value is known: not a reference that is resolved at each use, nor the hash of a secret.
pub(super) fn is_comparable(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.contains("{{resolve:") && !text.contains(evaluation::MARK),
        _ => true,
    }
}

fn has_secret(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(has_secret),
        Value::Object(members) => members.values().any(has_secret),
        scalar => !is_comparable(scalar),
    }
}

fn masked(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(masked).collect(),
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), masked(value))).collect(),
        _ => "****".into(),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

/// A document in a text as JSON, if the other side is a document.
fn document(value: &Value, other: &Value) -> Value {
    let parsed = match (value, other) {
        (Value::String(text), Value::Object(_) | Value::Array(_)) => serde_json::from_str(text).ok(),
        // Texts of the same document may differ in their spaces.
        (Value::String(text), Value::String(_)) if text.trim_start().starts_with('{') => {
            serde_json::from_str(text).ok()
        }
        _ => None,
    };
    parsed.unwrap_or_else(|| value.clone())
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

fn difference(place: &Place, kind: DifferenceType, expected: &Value, actual: &Value) -> PropertyDifference {
    let (expected, actual) = (evaluation::shown(expected), evaluation::shown(actual));
    PropertyDifference { path: PropertyPath(place.shown.clone()), kind, expected, actual }
}

/// The template's tags with those of the stack, which the template's override. `None` if there is none.
fn with_tags(own: Option<Value>, of_stack: &[Tag], is_map: bool) -> Option<Value> {
    let mut all = match own {
        None if of_stack.is_empty() => return None,
        None if is_map => Value::Object(Map::new()),
        None => Value::Array(Vec::new()),
        Some(own) => own,
    };
    match &mut all {
        // Some types have tags as a map.
        Value::Object(map) => {
            for tag in of_stack.iter().filter(|tag| !tag.key.starts_with("aws:")) {
                map.entry(tag.key.clone()).or_insert_with(|| tag.value.clone().into());
            }
        }
        Value::Array(list) => {
            let missing = |tag: &&Tag| !list.iter().any(|own| own["Key"] == tag.key);
            let added: Vec<Value> =
                of_stack.iter().filter(missing).map(|t| json!({"Key": t.key, "Value": t.value})).collect();
            list.extend(added);
        }
        _ => {}
    }
    Some(all)
}

fn remove_tags_of_aws(tags: &mut Value) {
    let is_own = |key: Option<&str>| !key.is_some_and(|key| key.starts_with("aws:"));
    match tags {
        Value::Object(map) => map.retain(|key, _| is_own(Some(key))),
        Value::Array(list) => list.retain(|tag| is_own(tag["Key"].as_str())),
        _ => {}
    }
}
