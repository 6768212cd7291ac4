//! Values that must not reach a log: they print as `***`.

use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    pub fn new(value: T) -> Secret<T> {
        Secret(value)
    }
    /// The value itself. A review should check every call.
    pub fn reveal(&self) -> &T {
        &self.0
    }
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl<T: crate::Wire> crate::Wire for Secret<T> {
    fn read(value: &serde_json::Value) -> Result<Secret<T>, crate::wire::ReadError> {
        T::read(value).map(Secret)
    }
    fn write(&self) -> serde_json::Value {
        self.0.write()
    }
    const FIELDS: &'static [crate::wire::Field] = T::FIELDS;
    const CHOICES: Option<&'static [&'static str]> = T::CHOICES;
}
