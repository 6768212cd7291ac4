//! Evaluates conditions and assertions.

use super::error::TemplateError;
use super::evaluate::{EvaluateError, Scope, text_of};
use super::expression::{Expression, Form};
use super::references::{Use, walk};
use escale_base::limits::template as limits;
use serde_json::Value;

impl Scope<'_> {
    pub(super) fn holds(&self, condition: &str) -> Result<bool, EvaluateError> {
        self.conditions.get(condition).copied().ok_or_else(|| {
            if self.template.conditions.contains_key(condition) {
                return EvaluateError::NotYet { logical: condition.to_owned(), attribute: None };
            }
            TemplateError::format(format!("Unresolved condition dependency {condition} in the template"))
                .into()
        })
    }

    /// Evaluates a condition once, after the conditions that it refers to.
    pub(super) fn condition(&mut self, name: &str, depth: usize) -> Result<bool, EvaluateError> {
        if let Some(known) = self.conditions.get(name) {
            return Ok(*known);
        }
        // All names exist (`references::check`), so only a cycle or a very long chain exceeds the depth.
        let Some(expression) = self.template.conditions.get(name).filter(|_| depth < limits::DEPTH) else {
            let message = format!("Circular dependency between conditions: [{name}]");
            return Err(TemplateError::format(message).into());
        };
        let mut needed = Vec::new();
        walk(expression, None, &mut |used| {
            if let Use::Condition(name) = used {
                needed.push(name);
            }
        });
        for other in needed {
            self.condition(other, depth + 1)?;
        }
        let truth = self.truth(expression)?;
        self.conditions.insert(name.to_owned(), truth);
        Ok(truth)
    }

    pub(super) fn truth(&self, expression: &Expression) -> Result<bool, EvaluateError> {
        let all = |items: &[Expression], stop: bool| {
            for item in items {
                if self.truth(item)? == stop {
                    return Ok(stop);
                }
            }
            Ok(!stop)
        };
        match &expression.form {
            Form::Condition(name) => self.holds(name),
            Form::And(items) => all(items, false),
            Form::Or(items) => all(items, true),
            Form::Not(item) => Ok(!self.truth(item)?),
            Form::Equals(a, b) => Ok(self.comparable(a)? == self.comparable(b)?),
            Form::Contains { list, value } => {
                Ok(self.texts(list, "Fn::Contains")?.contains(&self.text(value, "Fn::Contains")?))
            }
            Form::EachMemberEquals { list, value } => {
                let value = self.text(value, "Fn::EachMemberEquals")?;
                Ok(self.texts(list, "Fn::EachMemberEquals")?.iter().all(|item| *item == value))
            }
            Form::EachMemberIn { list, among } => {
                let among = self.texts(among, "Fn::EachMemberIn")?;
                Ok(self.texts(list, "Fn::EachMemberIn")?.iter().all(|item| among.contains(item)))
            }
            _ => match self.text(expression, "A condition")?.as_str() {
                "true" => Ok(true),
                "false" => Ok(false),
                other => {
                    Err(TemplateError::usage(format!("a condition must be true or false, got '{other}'"))
                        .into())
                }
            },
        }
    }

    /// A value for `Fn::Equals`. Scalars are compared as text, so `8000` equals `"8000"`.
    fn comparable(&self, expression: &Expression) -> Result<Value, EvaluateError> {
        if let Form::Scalar(scalar) = &expression.form {
            return Ok(scalar.string().into());
        }
        let value = self.value(expression)?.unwrap_or(Value::Null);
        Ok(text_of(&value).map_or(value, Value::from))
    }
}
