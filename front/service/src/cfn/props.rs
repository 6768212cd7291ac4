//! The properties of a template's resource, as a type's functions get them.

use super::InputDraft;
use crate::Named;
use escale_base::{
    AwsError, ErrorKind, Tag,
    wire::{self, Map, Value, Wire},
};

/// A resource's properties: all functions are resolved, and every value has its schema's type.
pub struct Props<'a> {
    pub values: &'a Map<String, Value>,
    pub stack_name: &'a str,
    pub logical_id: &'a str,
    /// The stack's tags and `aws:cloudformation:*`, for resources that can have tags.
    pub stack_tags: &'a [Tag],
}

impl Props<'_> {
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    pub fn str(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str)
    }

    pub fn bool(&self, name: &str) -> Option<bool> {
        self.get(name).and_then(Value::as_bool)
    }

    /// A property, read strictly: `Option`, `Vec` and maps may be absent.
    pub fn read<T: Wire>(&self, name: &str) -> Result<T, AwsError> {
        wire::member(self.values, name).map_err(|error| self.invalid(error))
    }

    /// A text that must be present and not empty.
    pub fn text(&self, name: &str) -> Result<&str, AwsError> {
        let text = self.str(name).filter(|text| !text.is_empty());
        text.ok_or_else(|| self.invalid(format_args!("Property {name} cannot be empty")))
    }

    /// A policy document as its text: templates write it as an object.
    pub fn document(&self, name: &str) -> Option<String> {
        self.get(name).map(|value| match value {
            Value::String(text) => text.clone(),
            tree => tree.to_string(),
        })
    }

    /// Starts the input of an operation with those of these properties that the template has.
    pub fn input<O: Named>(&self, names: &[&str]) -> InputDraft<O> {
        InputDraft::of(self.values.iter().filter(|(name, _)| names.contains(&name.as_str())))
    }

    /// Starts the input of an operation with all properties except these.
    pub fn input_without<O: Named>(&self, names: &[&str]) -> InputDraft<O> {
        InputDraft::of(self.values.iter().filter(|(name, _)| !names.contains(&name.as_str())))
    }

    /// The template's name for the resource, or a generated `<stack>-<logical id>-<random>`, as CloudFormation's.
    pub fn name_or_generated(&self, property: &str, max: usize) -> String {
        match self.str(property) {
            Some(name) => name.to_owned(),
            None => {
                let tail = escale_base::ids::random_upper(12);
                let mut head = format!("{}-{}", self.stack_name, self.logical_id);
                // Long names lose their readable part, never the random one: it makes them unique.
                head.truncate(max.saturating_sub(tail.len() + 1));
                format!("{}-{tail}", head.trim_end_matches('-'))
            }
        }
    }

    /// The stack's tags, overridden by the template's `Tags`.
    pub fn tags(&self) -> Result<Vec<Tag>, AwsError> {
        self.tags_in("Tags")
    }

    /// As [`Props::tags`], for a type whose property has another name.
    pub fn tags_in(&self, property: &str) -> Result<Vec<Tag>, AwsError> {
        let mut tags = self.stack_tags.to_vec();
        escale_base::tags::merge(&mut tags, self.read::<Vec<Tag>>(property)?);
        Ok(tags)
    }

    pub fn invalid(&self, why: impl std::fmt::Display) -> AwsError {
        let message = format!("{why} (resource {})", self.logical_id);
        AwsError::new(ErrorKind::Invalid, "ValidationError", 400, message)
    }
}
