//! Parses YAML to the tree. Tags are CloudFormation's short forms. Aliases and merges are refused, as on AWS.

use super::error::{Position, TemplateError};
use super::node::{Key, Kind, Node, Scalar};
use escale_base::limits::template as limits;
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, StrInput, Tag};
use std::collections::HashSet;

pub(crate) fn parse(text: &str) -> Result<Node, TemplateError> {
    let mut reader = Reader { parser: Parser::new_from_str(text), depth: 0 };
    loop {
        match reader.next()? {
            (Event::StreamStart | Event::DocumentStart(_) | Event::Nothing, _) => {}
            (Event::StreamEnd | Event::DocumentEnd, _) => {
                return Err(TemplateError::format("the template is empty"));
            }
            (event, at) => {
                let root = reader.node(event, at)?;
                return reader.end().map(|()| root);
            }
        }
    }
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Position), TemplateError> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, position(&span.start))),
            Some(Err(error)) => Err(not_well_formed(&error)),
            None => Ok((Event::StreamEnd, Position::default())),
        }
    }

    /// Checks that nothing follows the root: a template is one document.
    fn end(&mut self) -> Result<(), TemplateError> {
        loop {
            match self.next()? {
                (Event::DocumentEnd | Event::Nothing, _) => {}
                (Event::StreamEnd, _) => return Ok(()),
                (_, at) => return Err(TemplateError::format("only one YAML document is allowed").at(at)),
            }
        }
    }

    fn node(&mut self, event: Event<'a>, at: Position) -> Result<Node, TemplateError> {
        if self.depth == limits::DEPTH {
            return Err(
                TemplateError::format(format!("nested deeper than {} levels ({at})", limits::DEPTH)).at(at)
            );
        }
        self.depth += 1;
        let (tag, kind) = match event {
            Event::Scalar(text, style, _, tag) => {
                let plain = style == ScalarStyle::Plain;
                (tag, Kind::Scalar(Scalar { text: text.into_owned(), plain }))
            }
            Event::SequenceStart(_, tag) => (tag, self.list()?),
            Event::MappingStart(_, tag) => (tag, self.map()?),
            Event::Alias(_) => {
                return Err(TemplateError::format(
                    "YAML aliases are not allowed in CloudFormation templates",
                )
                .at(at));
            }
            other => return Err(TemplateError::format(format!("unexpected {other:?} ({at})")).at(at)),
        };
        self.depth -= 1;
        match tag {
            Some(tag) => tagged(&tag, Node { at, kind }),
            None => Ok(Node { at, kind }),
        }
    }

    fn list(&mut self) -> Result<Kind, TemplateError> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Kind::List(items)),
                (event, at) => items.push(self.node(event, at)?),
            }
        }
    }

    fn map(&mut self) -> Result<Kind, TemplateError> {
        let (mut entries, mut seen) = (Vec::new(), HashSet::new());
        loop {
            let (event, at) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(Kind::Map(entries));
            }
            let Node { kind: Kind::Scalar(key), .. } = self.node(event, at)? else {
                return Err(TemplateError::format(format!("a key is not a string ({at})")).at(at));
            };
            if key.plain && key.text == "<<" {
                return Err(TemplateError::format(
                    "YAML merges (<<) are not allowed in CloudFormation templates",
                )
                .at(at));
            }
            if !seen.insert(key.text.clone()) {
                return Err(TemplateError::format(format!("duplicate key '{}' ({at})", key.text)).at(at));
            }
            let (event, value_at) = self.next()?;
            entries.push((Key { text: key.text, at }, self.node(event, value_at)?));
        }
    }
}

/// `!Sub x` is `Fn::Sub: x`; `!Ref` and `!Condition` have no prefix.
fn tagged(tag: &Tag, node: Node) -> Result<Node, TemplateError> {
    let at = node.at;
    let function = match (tag.handle.as_str(), tag.suffix.as_str()) {
        ("!", name @ ("Ref" | "Condition")) => name.to_owned(),
        ("!", name) if FUNCTIONS.contains(&name) => format!("Fn::{name}"),
        ("tag:yaml.org,2002:", "str") => {
            let Kind::Scalar(Scalar { text, .. }) = node.kind else {
                return Err(TemplateError::format(format!("!!str is not on a scalar ({at})")).at(at));
            };
            return Ok(Node { at, kind: Kind::Scalar(Scalar { text, plain: false }) });
        }
        ("tag:yaml.org,2002:", "int" | "float" | "bool" | "seq" | "map") => return Ok(node),
        (handle, suffix) => {
            return Err(TemplateError::format(format!("unrecognized tag '{handle}{suffix}' ({at})")).at(at));
        }
    };
    Ok(Node { at, kind: Kind::Map(vec![(Key { text: function, at }, node)]) })
}

/// The functions with a short form. `expression::read` refuses those that are not enacted, by name.
const FUNCTIONS: &[&str] = &[
    "And",
    "Base64",
    "Cidr",
    "Contains",
    "EachMemberEquals",
    "EachMemberIn",
    "Equals",
    "FindInMap",
    "GetAZs",
    "GetAtt",
    "If",
    "ImportValue",
    "Join",
    "Length",
    "Not",
    "Or",
    "RefAll",
    "Select",
    "Split",
    "Sub",
    "ToJsonString",
    "Transform",
    "ValueOf",
    "ValueOfAll",
];

fn not_well_formed(error: &ScanError) -> TemplateError {
    let at = position(error.marker());
    TemplateError::format(format!("YAML not well-formed. ({at})")).at(at)
}

/// The parser counts columns from 0.
fn position(marker: &Marker) -> Position {
    Position { line: marker.line(), column: marker.col() + 1 }
}
