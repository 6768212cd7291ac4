//! What words without quotation marks mean.

use serde_json::Value;

/// A scalar keeps its text: CloudFormation compares and joins numbers and booleans as they are written.
#[derive(Clone, Debug, PartialEq)]
pub struct Scalar {
    pub text: String,
    /// Without quotation marks: may be a number, a boolean or null.
    pub plain: bool,
}

impl Scalar {
    /// Converts YAML 1.1's booleans and decimal numbers. Dates, octals and numbers with leading zeros (account ids) stay text.
    pub fn value(&self) -> Value {
        match (self.plain, self.text.as_str(), self.boolean()) {
            (false, text, _) => text.into(),
            (true, _, Some(truth)) => truth.into(),
            (true, "" | "~" | "null" | "Null" | "NULL", _) => Value::Null,
            (true, text, None) => number(text).unwrap_or_else(|| text.into()),
        }
    }

    /// Converts by YAML's core schema.
    pub fn core_value(&self) -> Value {
        match self.text.as_str() {
            text if !self.plain => text.into(),
            "" | "~" | "null" => Value::Null,
            "true" => true.into(),
            "false" => false.into(),
            text => match text.parse::<i64>() {
                Ok(number) => number.into(),
                Err(_) => text
                    .parse::<f64>()
                    .ok()
                    .filter(|_| text.starts_with(|c: char| c.is_ascii_digit() || c == '-'))
                    .and_then(serde_json::Number::from_f64)
                    .map_or_else(|| text.into(), Value::Number),
            },
        }
    }

    /// The scalar as a string. A boolean is `true` or `false`, however YAML spells it: `Default: True` and `Default: yes`
    /// are the string `true`. A number keeps its digits as written.
    pub fn string(&self) -> &str {
        match self.boolean() {
            Some(true) => "true",
            Some(false) => "false",
            None => &self.text,
        }
    }

    /// Source: <https://yaml.org/type/bool.html>, without `y` and `n`, which CloudFormation keeps as text.
    fn boolean(&self) -> Option<bool> {
        match self.text.as_str() {
            _ if !self.plain => None,
            "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
            "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
            _ => None,
        }
    }
}

fn number(text: &str) -> Option<Value> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let leading_zero = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    if leading_zero || !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if let Ok(number) = text.parse::<i64>() {
        return Some(number.into());
    }
    // Larger integers stay text: a float would change their digits.
    let float = digits.contains(['.', 'e', 'E']).then(|| text.parse::<f64>().ok()).flatten()?;
    serde_json::Number::from_f64(float).map(Value::Number)
}
