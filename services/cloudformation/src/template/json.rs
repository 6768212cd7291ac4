//! Parses JSON to the tree, and prints it. Not with a JSON crate: none has positions and keeps a number's text.

use super::error::{Position, TemplateError};
use super::node::{Key, Kind, Node, Scalar};
use escale_base::limits::template as limits;
use indexmap::IndexMap;
use serde_json::Value;

pub(crate) fn parse(text: &str) -> Result<Node, TemplateError> {
    let mut reader = Reader { text, at: 0, depth: 0, mark: (0, Position::at(1, 1)) };
    let root = reader.node()?;
    reader.space();
    if reader.at < text.len() { Err(reader.bad()) } else { Ok(root) }
}

/// The tree as JSON. Numbers keep their digits as written, so that reading the text gives the same values.
pub(crate) fn text(node: &Node) -> String {
    let mut out = String::new();
    print(node, 0, &mut out);
    out
}

fn print(node: &Node, depth: usize, out: &mut String) {
    let quoted = |text: &str| Value::from(text).to_string();
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    match &node.kind {
        Kind::Scalar(scalar) => {
            let text = scalar.string();
            let is_json =
                || serde_json::from_str::<Value>(text).is_ok_and(|v| v.is_number() || v.is_boolean());
            if scalar.plain && is_json() {
                out.push_str(text);
            } else if let value @ (Value::Null | Value::Number(_) | Value::Bool(_)) = scalar.value() {
                // YAML's forms that JSON does not have: `~`, `0.`, `yes`.
                out.push_str(&value.to_string());
            } else {
                out.push_str(&quoted(text));
            }
        }
        Kind::List(items) if items.is_empty() => out.push_str("[]"),
        Kind::Map(entries) if entries.is_empty() => out.push_str("{}"),
        Kind::List(items) => {
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i == 0 { "[" } else { "," });
                line(out, depth + 1);
                print(item, depth + 1, out);
            }
            line(out, depth);
            out.push(']');
        }
        Kind::Map(entries) => {
            for (i, (key, node)) in entries.iter().enumerate() {
                out.push_str(if i == 0 { "{" } else { "," });
                line(out, depth + 1);
                out.push_str(&quoted(&key.text));
                out.push_str(": ");
                print(node, depth + 1, out);
            }
            line(out, depth);
            out.push('}');
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    /// The last computed offset and its position. Counting from there keeps the total time linear.
    mark: (usize, Position),
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        self.at += self.rest().bytes().take_while(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n')).count();
    }

    /// Takes the byte if it comes next, after spaces.
    fn take(&mut self, byte: u8) -> bool {
        self.space();
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Result<(), TemplateError> {
        if self.take(byte) { Ok(()) } else { Err(self.bad()) }
    }

    fn position(&mut self) -> Position {
        let (from, mut position) = self.mark;
        for c in self.text[from..self.at].chars() {
            match c {
                '\n' => position = Position::at(position.line + 1, 1),
                _ => position.column += 1,
            }
        }
        self.mark = (self.at, position);
        position
    }

    fn bad(&mut self) -> TemplateError {
        let at = self.position();
        TemplateError::format(format!("JSON not well-formed. ({at})")).at(at)
    }

    fn node(&mut self) -> Result<Node, TemplateError> {
        self.space();
        let at = self.position();
        if self.depth == limits::DEPTH {
            return Err(
                TemplateError::format(format!("nested deeper than {} levels ({at})", limits::DEPTH)).at(at)
            );
        }
        self.depth += 1;
        let kind = match self.peek() {
            Some(b'{') => self.map()?,
            Some(b'[') => self.list()?,
            Some(b'"') => Kind::Scalar(Scalar { text: self.string()?, plain: false }),
            _ => self.word()?,
        };
        self.depth -= 1;
        Ok(Node::new(at, kind))
    }

    fn map(&mut self) -> Result<Kind, TemplateError> {
        self.expect(b'{')?;
        // As on AWS, the last of repeated keys counts.
        let mut entries = IndexMap::new();
        if self.take(b'}') {
            return Ok(Kind::Map(Vec::new()));
        }
        loop {
            self.space();
            let at = self.position();
            let text = self.string()?;
            self.expect(b':')?;
            entries.insert(text.clone(), (Key { text, place: at }, self.node()?));
            if !self.take(b',') {
                self.expect(b'}')?;
                return Ok(Kind::Map(entries.into_values().collect()));
            }
        }
    }

    fn list(&mut self) -> Result<Kind, TemplateError> {
        self.expect(b'[')?;
        let mut items = Vec::new();
        if self.take(b']') {
            return Ok(Kind::List(items));
        }
        loop {
            items.push(self.node()?);
            if !self.take(b',') {
                self.expect(b']')?;
                return Ok(Kind::List(items));
            }
        }
    }

    /// A number, `true`, `false` or `null`.
    fn word(&mut self) -> Result<Kind, TemplateError> {
        let word_byte = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'+' | b'.');
        let length = self.rest().bytes().take_while(|b| word_byte(b)).count();
        let text = self.rest()[..length].to_owned();
        // `serde_json` checks the grammar of words and strings.
        if length == 0 || serde_json::from_str::<Value>(&text).is_err() {
            return Err(self.bad());
        }
        self.at += length;
        Ok(Kind::Scalar(Scalar { text, plain: true }))
    }

    fn string(&mut self) -> Result<String, TemplateError> {
        if self.peek() != Some(b'"') {
            return Err(self.bad());
        }
        let (mut length, mut escaped) = (1, false);
        for byte in self.rest().bytes().skip(1) {
            length += 1;
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => {
                    let text = serde_json::from_str(&self.rest()[..length]).map_err(|_| self.bad())?;
                    self.at += length;
                    return Ok(text);
                }
                _ => {}
            }
        }
        Err(self.bad())
    }
}
