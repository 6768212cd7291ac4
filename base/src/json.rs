//! JSON in which every key is unique.
//!
//! RFC 8259 leaves open what a repeated key means, and readers differ: most take the last one, some the first. A document
//! that decides access must mean the same to its author, its reviewers and the program that enforces it, so a repeated key is an
//! error:
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_policies.html>

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;

/// Parses a document as `serde_json` does, but refuses an object that has the same key twice.
pub fn with_unique_keys(text: &str) -> Result<Value, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Unique.deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

struct Unique;

impl<'de> DeserializeSeed<'de> for Unique {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Unique {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number that is not finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut found = Vec::new();
        while let Some(item) = items.next_element_seed(Unique)? {
            found.push(item);
        }
        Ok(Value::Array(found))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut found = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if found.contains_key(&key) {
                return Err(A::Error::custom(format!("duplicate key \"{key}\"")));
            }
            found.insert(key, entries.next_value_seed(Unique)?);
        }
        Ok(Value::Object(found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicate_keys_are_refused_at_any_depth() {
        for (text, key) in [
            (r#"{"a": 1, "a": 1}"#, "a"),
            (r#"{"Statement": [{"Effect": "Deny", "Effect": "Allow"}]}"#, "Effect"),
            (r#"{"x": {"y": {"z": 1, "z": 2}}}"#, "z"),
            // Escapes spell the same key.
            (r#"{"Effect": "Deny", "\u0045ffect": "Allow"}"#, "Effect"),
        ] {
            let error = with_unique_keys(text).unwrap_err().to_string();
            assert!(error.contains(&format!("duplicate key \"{key}\"")), "{text}: {error}");
        }
    }

    #[test]
    fn reads_what_serde_json_reads() {
        for text in [
            r#"{"a": [1, -2, 3.5, true, null, "x"], "b": {"a": {}}, "n": 18446744073709551615}"#,
            "[]",
            "\"text\"",
            " 1 ",
        ] {
            assert_eq!(
                with_unique_keys(text).unwrap(),
                serde_json::from_str::<Value>(text).unwrap(),
                "{text}"
            );
        }
        for bad in ["", "{", "{} {}", "{\"a\": 1e999}", &"[".repeat(1000)] {
            assert!(with_unique_keys(bad).is_err(), "{bad:.20}");
            assert!(serde_json::from_str::<Value>(bad).is_err(), "{bad:.20}");
        }
    }
}
