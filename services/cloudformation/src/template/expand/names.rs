//! The identifiers of the surrounding loops, and their replacement in texts.

use super::Room;
use crate::template::TemplateError;
use escale_base::limits::template as limits;

/// Identifier and value, from the outermost loop to the innermost.
#[derive(Clone, Debug, Default)]
pub(super) struct Bindings<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Bindings<'a> {
    pub(super) fn with(&self, identifier: &'a str, value: &'a str) -> Bindings<'a> {
        let mut all = self.0.clone();
        all.push((identifier, value));
        Bindings(all)
    }

    pub(super) fn get(&self, identifier: &str) -> Option<&'a str> {
        self.0.iter().find(|(known, _)| *known == identifier).map(|(_, value)| *value)
    }

    /// Replaces `${Identifier}`, and `&{Identifier}` by the letters and digits of the value. A replaced value is not searched again.
    pub(super) fn replace(&self, text: &str) -> Result<String, TemplateError> {
        let (mut done, mut rest) = (String::new(), text);
        while let Some(at) = rest.find(['$', '&']).filter(|_| !self.0.is_empty()) {
            let (before, here) = rest.split_at(at);
            done.push_str(before);
            let name = here[1..].strip_prefix('{').and_then(|inner| inner.split_once('}'));
            match name.and_then(|(name, after)| Some((self.get(name)?, after))) {
                Some((value, after)) => {
                    let is_key = here.starts_with('&');
                    done.extend(value.chars().filter(|c| !is_key || c.is_ascii_alphanumeric()));
                    rest = after;
                }
                None => {
                    done.push_str(&here[..1]);
                    rest = &here[1..];
                }
            }
            // One text alone must not fill the memory either.
            if done.len() > limits::FILE_BYTES {
                return Err(Room::exceeded());
            }
        }
        done.push_str(rest);
        Ok(done)
    }
}

#[cfg(test)]
mod tests {
    use super::Bindings;
    use proptest::prelude::*;

    #[test]
    fn replaces_identifiers() {
        let outer = Bindings::default().with("A", "1.2-x");
        let bindings = outer.with("B", "${A}");
        for (text, expected) in [
            ("", ""),
            ("${A}", "1.2-x"),
            ("&{A}", "12x"),
            ("a${A}b&{A}c", "a1.2-xb12xc"),
            // The value of an identifier is not searched for identifiers.
            ("${B}", "${A}"),
            ("${C} ${!A} $A &A ${A", "${C} ${!A} $A &A ${A"),
            ("$${A}&&{A}", "$1.2-x&12x"),
            ("é${A}ü", "é1.2-xü"),
        ] {
            assert_eq!(bindings.replace(text).unwrap(), expected, "{text}");
        }
        assert_eq!(Bindings::default().replace("${A}").unwrap(), "${A}");
    }

    #[test]
    fn limits_the_size_of_one_text() {
        let value = "x".repeat(4096);
        assert!(Bindings::default().with("A", &value).replace(&"${A}".repeat(1000)).is_err());
    }

    proptest! {
        #[test]
        fn texts_without_identifiers_stay(text in "[ -~é]{0,40}") {
            prop_assume!(!text.contains("{X}"));
            prop_assert_eq!(Bindings::default().with("X", "value").replace(&text).unwrap(), text);
        }

        #[test]
        fn every_identifier_is_replaced(parts in prop::collection::vec("[a-z ]{0,5}", 1..6), value in "[a-zA-Z0-9]{0,5}") {
            for mark in ["${X}", "&{X}"] {
                let text = parts.join(mark);
                prop_assert_eq!(Bindings::default().with("X", &value).replace(&text).unwrap(), parts.join(&value));
            }
        }
    }
}
