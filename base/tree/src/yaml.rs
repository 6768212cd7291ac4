//! Reads YAML.

use crate::{Key, Kind, Node, Place, Scalar};
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput, Tag};
use std::{borrow::Cow, collections::HashMap};

/// What a text may have, beside plain maps, lists and scalars.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The limit of nesting: deeper nesting is a mistake, or an attempt to overflow the stack.
    pub depth: usize,
    pub tags: bool,
    /// Names for aliases. Aliases themselves are refused always.
    pub anchors: bool,
    /// Keys that occur twice in a map: the last value counts.
    pub repeated_keys: bool,
}

/// Why a text is refused, and where.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{problem} ({place})")]
pub struct Fault {
    pub place: Place,
    pub problem: Problem,
}

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Problem {
    #[error("the text is empty")]
    Empty,
    #[error("not YAML: {0}")]
    NotYaml(String),
    #[error("a second document begins")]
    SecondDocument,
    #[error("the nesting is too deep")]
    TooDeep,
    #[error("an anchor")]
    Anchor,
    #[error("an alias")]
    Alias,
    #[error("a tag")]
    Tag,
    #[error("a merge (<<)")]
    Merge,
    #[error("a key is not a scalar")]
    KeyIsNoScalar,
    #[error("the key '{0}' is repeated")]
    RepeatedKey(String),
}

/// How many lines of one text may be outdented within brackets. Each costs one more reading of the text.
const OUTDENTED_LINES: usize = 64;

/// The tree of a text with one document.
pub fn yaml(text: &str, options: Options) -> Result<Node, Fault> {
    let mut read = parse(text, options);
    // libyaml, which AWS and most tools use, ignores columns within brackets; this parser does not: a closing bracket must be
    // deeper than its key. Leading blanks have no meaning there, so an indented line gives the same tree. Only the parser can
    // say which lines are concerned: in a block scalar such a line is text.
    let mut text = Cow::Borrowed(text);
    for _ in 0..OUTDENTED_LINES {
        let Err(fault) = &read else { break };
        let Some(indented) = with_line_indented(&text, fault) else { break };
        read = parse(&indented, options);
        text = Cow::Owned(indented);
    }
    read
}

/// The text with the line indented that the parser refused for its column within brackets.
fn with_line_indented(text: &str, refused: &Fault) -> Option<String> {
    let Problem::NotYaml(why) = &refused.problem else { return None };
    if why != "invalid indentation" && why != "invalid indentation in flow construct" {
        return None;
    }
    let start = text.split_inclusive('\n').take(refused.place.line.checked_sub(1)?).map(str::len).sum();
    let (before, rest) = text.split_at_checked(start)?;
    Some(format!("{before}{INDENT}{rest}"))
}

/// Deeper than the keys of any text that people write.
const INDENT: &str = "                                                                ";

fn parse(text: &str, options: Options) -> Result<Node, Fault> {
    let mut reader = Reader { parser: Parser::new_from_str(text), options, depth: 0 };
    loop {
        match reader.next()? {
            (Event::StreamStart | Event::DocumentStart(_) | Event::Nothing, _) => {}
            (Event::StreamEnd | Event::DocumentEnd, at) => return Err(fault(at, Problem::Empty)),
            (event, at) => {
                let root = reader.node(event, at)?;
                return reader.end().map(|()| root);
            }
        }
    }
}

fn fault(place: Place, problem: Problem) -> Fault {
    Fault { place, problem }
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    options: Options,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Place), Fault> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, place(span))),
            Some(Err(error)) => {
                let place = position(error.marker());
                Err(fault(place, Problem::NotYaml(error.info().to_owned())))
            }
            None => Err(fault(Place::at(1, 1), Problem::NotYaml("the text ends too early".into()))),
        }
    }

    fn end(&mut self) -> Result<(), Fault> {
        loop {
            match self.next()? {
                (Event::DocumentEnd | Event::Nothing, _) => {}
                (Event::StreamEnd, _) => return Ok(()),
                (_, at) => return Err(fault(at, Problem::SecondDocument)),
            }
        }
    }

    fn node(&mut self, event: Event<'a>, at: Place) -> Result<Node, Fault> {
        if self.depth == self.options.depth {
            return Err(fault(at, Problem::TooDeep));
        }
        let (anchor, tag) = match &event {
            Event::Scalar(_, _, anchor, tag)
            | Event::SequenceStart(anchor, tag)
            | Event::MappingStart(anchor, tag) => (*anchor, tag.as_ref().map(|tag| names(tag))),
            Event::Alias(_) => return Err(fault(at, Problem::Alias)),
            _ => (0, None),
        };
        if anchor != 0 && !self.options.anchors {
            return Err(fault(at, Problem::Anchor));
        }
        if tag.is_some() && !self.options.tags {
            return Err(fault(at, Problem::Tag));
        }
        self.depth += 1;
        let kind = match event {
            Event::Scalar(text, style, ..) => {
                Kind::Scalar(Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain })
            }
            Event::SequenceStart(..) => self.list()?,
            Event::MappingStart(..) => self.map()?,
            _ => return Err(fault(at, Problem::NotYaml("a value was expected here".into()))),
        };
        self.depth -= 1;
        Ok(Node { place: at, kind, tag })
    }

    fn list(&mut self) -> Result<Kind, Fault> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Kind::List(items)),
                (event, at) => items.push(self.node(event, at)?),
            }
        }
    }

    fn map(&mut self) -> Result<Kind, Fault> {
        let (mut entries, mut seen) = (Vec::new(), HashMap::new());
        loop {
            let (event, at) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(Kind::Map(entries));
            }
            let Node { kind: Kind::Scalar(key), tag: None, .. } = self.node(event, at)? else {
                return Err(fault(at, Problem::KeyIsNoScalar));
            };
            if key.plain && key.text == "<<" {
                return Err(fault(at, Problem::Merge));
            }
            let earlier = seen.insert(key.text.clone(), entries.len());
            if earlier.is_some() && !self.options.repeated_keys {
                return Err(fault(at, Problem::RepeatedKey(key.text)));
            }
            let (event, value_at) = self.next()?;
            let value = self.node(event, value_at)?;
            let entry = (Key { text: key.text.clone(), place: at }, value);
            match earlier {
                None => entries.push(entry),
                Some(index) => {
                    entries[index] = entry;
                    seen.insert(key.text, index);
                }
            }
        }
    }
}

fn names(tag: &Tag) -> (String, String) {
    (tag.handle.clone(), tag.suffix.clone())
}

fn place(span: Span) -> Place {
    let is_one_line = span.start.line() == span.end.line();
    Place { length: if is_one_line { span.len().max(1) } else { 1 }, ..position(&span.start) }
}

/// The parser counts columns from 0.
fn position(marker: &Marker) -> Place {
    Place::at(marker.line(), marker.col() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Options = Options { depth: 4, tags: false, anchors: false, repeated_keys: false };

    fn refused(text: &str) -> String {
        yaml(text, PLAIN).map_or_else(|fault| fault.to_string(), |node| node.value().to_string())
    }

    #[test]
    fn refuses_what_hides_or_multiplies() {
        for (text, expected) in [
            ("", "the text is empty (line 1, column 1)"),
            ("a: 1\n---\nb: 2", "a second document begins (line 2, column 1)"),
            ("[[[[1]]]]", "the nesting is too deep (line 1, column 5)"),
            ("a: &x 1", "an anchor (line 1, column 4)"),
            ("a: !Ref x", "a tag (line 1, column 4)"),
            ("<<: {a: 1}", "a merge (<<) (line 1, column 1)"),
            ("? [a]\n: 1", "a key is not a scalar (line 1, column 3)"),
            ("a: 1\na: 2", "the key 'a' is repeated (line 2, column 1)"),
            ("a: 1\n\"a\": 2", "the key 'a' is repeated (line 2, column 1)"),
            ("a: [", "not YAML: while parsing a node, did not find expected node content (line 2, column 1)"),
        ] {
            assert_eq!(refused(text), expected, "{text}");
        }
    }

    #[test]
    fn ignores_columns_within_brackets() {
        for (text, expected) in [
            ("a: [\n  1,\n  2\n]\nb: 3", r#"{"a":[1,2],"b":3}"#),
            ("a:\n  b: [\n    1\n  ]\n  c: {\n    d: 2\n  }\n", r#"{"a":{"b":[1],"c":{"d":2}}}"#),
            ("a:\n  b: [\n    1\n]\n", r#"{"a":{"b":[1]}}"#),
            ("a: [\n  [1\n],\n  2\n] # end\nb: |\n  ]\n", r#"{"a":[[1],2],"b":"]\n"}"#),
            ("a: [\n1,\n2]", r#"{"a":[1,2]}"#),
            (
                "a:\n  b: [\n    1\n  ]\n c: 2",
                "not YAML: while parsing a block mapping, did not find expected key (line 5, column 2)",
            ),
        ] {
            assert_eq!(refused(text), expected, "{text}");
        }
        let many = "a: [\n]\n".repeat(OUTDENTED_LINES + 1);
        let options = Options { repeated_keys: true, ..PLAIN };
        assert!(yaml(&many, options).is_err());
        assert!(yaml(&many[8..], options).is_ok());
    }

    #[test]
    fn last_value_of_a_repeated_key_counts() {
        let options = Options { repeated_keys: true, ..PLAIN };
        for (text, expected) in [
            ("a: 1\nb: 2\na: 3", r#"{"a":3,"b":2}"#),
            ("a: 1\nb: 2\na: 3\na: 4\nb: 5\nc: 6", r#"{"a":4,"b":5,"c":6}"#),
        ] {
            assert_eq!(yaml(text, options).unwrap().value().to_string(), expected, "{text}");
        }
    }

    #[test]
    fn nodes_know_their_places() {
        let node = yaml("é:\n  b: 'two words'", PLAIN).unwrap();
        let inner = node.get("é").unwrap().get("b").unwrap();
        assert_eq!(inner.place, Place { line: 2, column: 6, length: 11 });
        assert_eq!(node.map().unwrap()[0].0.place.length, 1);
    }

    #[test]
    fn words_have_a_meaning_by_schema() {
        let node = yaml("[yes, true, 007, 1.5, null, 'true', 12345678901234567890]", PLAIN).unwrap();
        assert_eq!(node.value().to_string(), r#"[true,true,"007",1.5,null,"true","12345678901234567890"]"#);
        assert_eq!(node.core_value().to_string(), r#"["yes",true,7,1.5,null,"true",1.2345678901234567e+19]"#);
    }
}
