//! YAML as a tree whose nodes know their places. It accepts one document without tags, anchors and repeated keys, because each
//! of these hides from a reader what the manifest says.

use crate::problem::{Place, Problem, Source};
use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use serde_json::{Map, Value};
use std::sync::Arc;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) place: Place,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    /// Text; `plain` if it was not quoted, so that it can also mean a number, a boolean or null.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Key {
    pub(crate) text: String,
    pub(crate) place: Place,
}

/// The limit of nesting. Deeper nesting is a mistake or an attempt to overflow the stack.
const DEPTH: usize = 32;

impl Node {
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|(k, _)| k.text == key).map(|(_, node)| node)
    }

    pub(crate) fn entries(&self) -> &[(Key, Node)] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    pub(crate) fn is_nothing(&self) -> bool {
        matches!(&self.kind, Kind::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null"))
    }

    /// The kind of node, for messages.
    pub(crate) fn noun(&self) -> &'static str {
        match &self.kind {
            _ if self.is_nothing() => "nothing",
            Kind::Scalar { .. } => "a single value",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map",
        }
    }

    /// The JSON value of the node, by YAML's core schema.
    pub(crate) fn to_json(&self) -> Value {
        match &self.kind {
            _ if self.is_nothing() => Value::Null,
            Kind::Scalar { text, plain: true } => match text.as_str() {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                _ => match text.parse::<i64>() {
                    Ok(n) => n.into(),
                    Err(_) => text
                        .parse::<f64>()
                        .ok()
                        .filter(|_| text.starts_with(|c: char| c.is_ascii_digit() || c == '-'))
                        .and_then(serde_json::Number::from_f64)
                        .map_or_else(|| text.clone().into(), Value::Number),
                },
            },
            Kind::Scalar { text, .. } => text.clone().into(),
            Kind::List(items) => items.iter().map(Node::to_json).collect(),
            Kind::Map(entries) => Value::Object(
                entries.iter().map(|(k, v)| (k.text.clone(), v.to_json())).collect::<Map<_, _>>(),
            ),
        }
    }
}

pub(crate) fn parse(source: &Arc<Source>) -> Result<Node, Problem> {
    let mut reader = TreeReader { parser: Parser::new_from_str(&source.text), source };
    let start = Place { line: 1, column: 1, length: 1 };
    loop {
        match reader.next()? {
            (Event::StreamStart | Event::DocumentStart(_), _) => {}
            (Event::StreamEnd, _) => return Err(Problem::new(source, start, "the manifest is empty")),
            (event, span) => {
                let root = reader.node(event, span, 0)?;
                reader.end()?;
                return Ok(root);
            }
        }
    }
}

struct TreeReader<'a> {
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    source: &'a Arc<Source>,
}

impl<'a> TreeReader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Problem> {
        let fail = |place, what: &str| Err(Problem::new(self.source, place, format!("not YAML: {what}")));
        match self.parser.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(e)) => {
                let at = e.marker();
                fail(Place { line: at.line(), column: at.col() + 1, length: 1 }, e.info())
            }
            None => fail(Place { line: 1, column: 1, length: 1 }, "the file ends too early"),
        }
    }

    fn end(&mut self) -> Result<(), Problem> {
        loop {
            match self.next()? {
                (Event::DocumentEnd, _) => {}
                (Event::StreamEnd, _) => return Ok(()),
                (_, span) => {
                    return Err(self.refuse(
                        span,
                        "a manifest must be a single YAML document, and a second one starts here",
                    ));
                }
            }
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, Problem> {
        let place = place(span);
        if depth > DEPTH {
            return Err(self.refuse(span, "the manifest is nested too deeply"));
        }
        let (anchor, tag) = match &event {
            Event::Scalar(_, _, anchor, tag)
            | Event::SequenceStart(anchor, tag)
            | Event::MappingStart(anchor, tag) => (*anchor, tag.is_some()),
            Event::Alias(_) => (1, false),
            _ => (0, false),
        };
        if anchor != 0 {
            return Err(self.refuse(span, "anchors and aliases are not supported: repeat the value instead"));
        }
        if tag {
            return Err(self.refuse(span, "tags (`!…`) are not supported in a manifest"));
        }
        let kind = match event {
            Event::Scalar(text, style, ..) => {
                Kind::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain }
            }
            Event::SequenceStart(..) => self.list(depth)?,
            Event::MappingStart(..) => self.map(depth)?,
            _ => return Err(self.refuse(span, "not YAML: a value was expected here")),
        };
        Ok(Node { kind, place })
    }

    fn list(&mut self, depth: usize) -> Result<Kind, Problem> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Kind::List(items)),
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Kind, Problem> {
        let mut entries: Vec<(Key, Node)> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(Kind::Map(entries));
            }
            let key = self.node(event, span, depth + 1)?;
            let Kind::Scalar { text, .. } = key.kind else {
                return Err(self.refuse(span, "a key must be a single word"));
            };
            if entries.iter().any(|(k, _)| k.text == text) {
                return Err(self.refuse(span, &format!("the key `{text}` is repeated")));
            }
            let (event, span) = self.next()?;
            let mut value = self.node(event, span, depth + 1)?;
            if value.is_nothing() {
                value.place = key.place; // an empty value has no place of its own, so errors point at its key
            }
            entries.push((Key { text, place: key.place }, value));
        }
    }

    fn refuse(&self, span: Span, what: &str) -> Problem {
        Problem::new(self.source, place(span), what)
    }
}

fn place(span: Span) -> Place {
    let length = if span.start.line() == span.end.line() { span.len().max(1) } else { 1 };
    Place { line: span.start.line(), column: span.start.col() + 1, length }
}
