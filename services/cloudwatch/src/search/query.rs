//! The query of a search: its grammar, and which metrics it selects.
//!
//! A query has a schema in braces, terms, or both. `NOT` binds more than `AND`, and `AND` more than `OR`; terms without an operator
//! between them must all match.

use super::{Candidate, tokens};
use crate::Error;
use escale_base::AwsError;
use std::{iter::Peekable, str::Chars};

/// AWS's longest query.
const CHARS: usize = 1024;
/// Parentheses and NOT inside of each other: each is a call of the parser.
const DEPTH: usize = 40;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Query {
    schema: Option<Schema>,
    terms: Option<Terms>,
}

#[derive(Clone, Debug, PartialEq)]
struct Schema {
    namespace: String,
    /// Sorted. Without any, the namespace alone decides.
    dimensions: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
enum Terms {
    Term(Term),
    Not(Box<Terms>),
    All(Vec<Terms>),
    Any(Vec<Terms>),
}

#[derive(Clone, Debug, PartialEq)]
struct Term {
    /// `MetricName`, `Namespace` or the name of a dimension.
    property: Option<String>,
    text: String,
    /// In quotes: it must be the whole text.
    is_exact: bool,
}

impl Query {
    pub(super) fn parse(text: &str) -> Result<Query, Error> {
        if text.chars().count() > CHARS {
            return Err(Error::Validation(format!(
                "Error in expression: the query of SEARCH must not be longer than {CHARS} characters"
            )));
        }
        let tokens = tokens(text)?;
        let mut parser = Parser { tokens: &tokens, depth: 0 };
        let schema = parser.schema()?;
        let terms = if parser.tokens.is_empty() { None } else { Some(parser.any(None)?) };
        if let Some(rest) = parser.tokens.first() {
            return Err(invalid(&format!("{rest} follows a complete query")));
        }
        if schema.is_none() && terms.is_none() {
            return Err(invalid("it has neither a schema nor a term"));
        }
        Ok(Query { schema, terms })
    }

    pub(super) fn selects(&self, metric: Candidate<'_>) -> bool {
        self.schema.as_ref().is_none_or(|schema| schema.selects(metric))
            && self.terms.as_ref().is_none_or(|terms| terms.select(metric))
    }
}

impl Schema {
    fn selects(&self, metric: Candidate<'_>) -> bool {
        let own = metric.dimensions.iter().map(|(name, _)| name);
        self.namespace == metric.namespace && (self.dimensions.is_empty() || own.eq(&self.dimensions))
    }
}

impl Terms {
    fn select(&self, metric: Candidate<'_>) -> bool {
        match self {
            Terms::Term(term) => term.selects(metric),
            Terms::Not(terms) => !terms.select(metric),
            Terms::All(all) => all.iter().all(|terms| terms.select(metric)),
            Terms::Any(any) => any.iter().any(|terms| terms.select(metric)),
        }
    }
}

impl Term {
    fn selects(&self, metric: Candidate<'_>) -> bool {
        let is_it = |text: &str| {
            if self.is_exact { self.text == text } else { tokens::matches(&self.text, text) }
        };
        match self.property.as_deref() {
            Some("MetricName") => is_it(metric.name),
            Some("Namespace") => is_it(metric.namespace),
            Some(dimension) => {
                metric.dimensions.iter().any(|(name, value)| name == dimension && is_it(value))
            }
            None => {
                is_it(metric.name)
                    || is_it(metric.namespace)
                    || metric.dimensions.iter().any(|(name, value)| is_it(name) || is_it(value))
            }
        }
    }
}

fn invalid(why: &str) -> Error {
    Error::Validation(format!("Error in expression: the query of SEARCH is not valid: {why}"))
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    /// One of `{ } ( ) , =`.
    Sign(char),
    Word(String),
    /// Text in quotes is never an operator.
    Quoted(String),
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Token::Sign(sign) => write!(f, "'{sign}'"),
            Token::Word(text) | Token::Quoted(text) => write!(f, "'{text}'"),
        }
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, Error> {
    const SIGNS: &str = "{}(),=";
    let (mut tokens, mut chars) = (Vec::new(), text.chars().peekable());
    while let Some(c) = chars.next() {
        match c {
            _ if c.is_whitespace() => {}
            '"' => tokens.push(Token::Quoted(quoted(&mut chars)?)),
            sign if SIGNS.contains(sign) => tokens.push(Token::Sign(sign)),
            first => {
                let mut word = String::from(first);
                let goes_on = |c: &char| !c.is_whitespace() && *c != '"' && !SIGNS.contains(*c);
                while let Some(c) = chars.next_if(goes_on) {
                    word.push(c);
                }
                tokens.push(Token::Word(word));
            }
        }
    }
    Ok(tokens)
}

fn quoted(chars: &mut Peekable<Chars<'_>>) -> Result<String, Error> {
    let mut text = String::new();
    loop {
        match chars.next() {
            Some('"') => return Ok(text),
            Some('\\') => text.extend(chars.next()),
            Some(c) => text.push(c),
            None => return Err(invalid(&format!("the text \"{text} has no closing quotation mark"))),
        }
    }
}

struct Parser<'a> {
    tokens: &'a [Token],
    depth: usize,
}

impl Parser<'_> {
    /// `{Namespace, Dimension, …}`, and the comma that AWS's examples have behind it.
    fn schema(&mut self) -> Result<Option<Schema>, Error> {
        if !self.accept(&Token::Sign('{')) {
            return Ok(None);
        }
        let mut names = Vec::new();
        loop {
            let mut name = Vec::new();
            while let Some(Token::Word(part) | Token::Quoted(part)) = self.tokens.first() {
                name.push(part.clone());
                self.tokens = &self.tokens[1..];
            }
            if name.len() != 1 {
                return Err(invalid(
                    "the schema needs names with commas between them; names with blanks are in double quotes",
                ));
            }
            names.append(&mut name);
            if self.accept(&Token::Sign('}')) {
                break;
            }
            if !self.accept(&Token::Sign(',')) {
                return Err(invalid("'}' is missing at the end of its schema"));
            }
        }
        self.accept(&Token::Sign(','));
        let namespace = names.remove(0);
        names.sort();
        Ok(Some(Schema { namespace, dimensions: names }))
    }

    fn any(&mut self, property: Option<&str>) -> Result<Terms, Error> {
        let mut any = vec![self.all(property)?];
        while self.accept_word("OR") {
            any.push(self.all(property)?);
        }
        Ok(if any.len() == 1 { any.remove(0) } else { Terms::Any(any) })
    }

    fn all(&mut self, property: Option<&str>) -> Result<Terms, Error> {
        let mut all = vec![self.single(property)?];
        loop {
            let is_end = match self.tokens.first() {
                None | Some(Token::Sign(')')) => true,
                Some(Token::Word(word)) => word == "OR",
                Some(_) => false,
            };
            if is_end {
                break;
            }
            self.accept_word("AND");
            all.push(self.single(property)?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Terms::All(all) })
    }

    fn single(&mut self, property: Option<&str>) -> Result<Terms, Error> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(invalid(&format!("it is nested more than {DEPTH} times")));
        }
        let terms = self.inner(property);
        self.depth -= 1;
        terms
    }

    fn inner(&mut self, property: Option<&str>) -> Result<Terms, Error> {
        let Some((first, rest)) = self.tokens.split_first() else {
            return Err(invalid("a term is missing at its end"));
        };
        self.tokens = rest;
        let (text, is_exact) = match first {
            Token::Sign('(') => {
                let terms = self.any(property)?;
                return if self.accept(&Token::Sign(')')) {
                    Ok(terms)
                } else {
                    Err(invalid("')' is missing"))
                };
            }
            Token::Sign(_) => return Err(invalid(&format!("{first} is not a term"))),
            Token::Word(word) if word == "NOT" => {
                return Ok(Terms::Not(Box::new(self.single(property)?)));
            }
            Token::Word(word) if word == "AND" || word == "OR" => {
                return Err(invalid(&format!("a term is missing before {first}")));
            }
            Token::Word(word) if word.starts_with(':') => {
                let what = format_args!("The designator {word} of SEARCH");
                return Err(AwsError::not_supported(what)
                    .hint("Escale has one account. Leave it out, or use MetricName, Namespace or the name of a dimension.")
                    .into());
            }
            Token::Word(text) => (text, false),
            Token::Quoted(text) => (text, true),
        };
        if self.accept(&Token::Sign('=')) {
            if property.is_some() {
                return Err(invalid(&format!("{first} is a property of a property")));
            }
            return self.single(Some(text));
        }
        Ok(Terms::Term(Term { property: property.map(str::to_owned), text: text.clone(), is_exact }))
    }

    fn accept(&mut self, token: &Token) -> bool {
        let found = self.tokens.first() == Some(token);
        if found {
            self.tokens = &self.tokens[1..];
        }
        found
    }

    fn accept_word(&mut self, word: &str) -> bool {
        self.accept(&Token::Word(word.to_owned()))
    }
}
