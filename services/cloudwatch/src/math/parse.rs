//! Reads expressions.

use crate::{Error, search::Search};

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expression {
    Number(f64),
    Text(String),
    /// The id of another query.
    Id(String),
    Negate(Box<Expression>),
    Binary(Operator, Box<Expression>, Box<Expression>),
    Call(String, Vec<Expression>),
    List(Vec<Expression>),
    Search(Box<Search>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Or,
    And,
    Equal,
    NotEqual,
    LessOrEqual,
    GreaterOrEqual,
    Less,
    Greater,
    Add,
    Subtract,
    Multiply,
    Divide,
    Power,
}

/// Binary operators, weakest first. Longer spellings come before their beginnings.
const LEVELS: [&[(&str, Operator)]; 5] = [
    &[("||", Operator::Or), ("OR", Operator::Or)],
    &[("&&", Operator::And), ("AND", Operator::And)],
    &[
        ("==", Operator::Equal),
        ("!=", Operator::NotEqual),
        ("<=", Operator::LessOrEqual),
        (">=", Operator::GreaterOrEqual),
        ("<", Operator::Less),
        (">", Operator::Greater),
    ],
    &[("+", Operator::Add), ("-", Operator::Subtract)],
    &[("*", Operator::Multiply), ("/", Operator::Divide)],
];

/// Nested parentheses and calls: bounds the stack.
const DEPTH: usize = 40;

/// AWS's longest expression.
const CHARS: usize = 2048;

pub(crate) fn parse(text: &str) -> Result<Expression, Error> {
    if text.len() > CHARS {
        return Err(Error::InvalidValue(format!(
            "An expression must not be longer than {CHARS} characters."
        )));
    }
    let mut parser = Parser { text, at: 0, depth: 0 };
    let expression = parser.binary(0)?;
    parser.space();
    match parser.rest() {
        "" => Ok(expression),
        _ => Err(parser.error("unexpected text")),
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn error(&self, what: &str) -> Error {
        Error::Validation(format!("Error in expression '{}': {what} at character {}", self.text, self.at + 1))
    }

    fn space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn takes(&mut self, token: &str) -> bool {
        self.space();
        let found = self.rest().starts_with(token);
        // A word must end where the name ends: `ORDERS` is an id.
        let is_word = token.starts_with(char::is_alphabetic);
        let goes_on = self.rest().get(token.len()..).is_some_and(|r| r.starts_with(is_id_char));
        if found && !(is_word && goes_on) {
            self.at += token.len();
            return true;
        }
        false
    }

    fn expect(&mut self, token: &str) -> Result<(), Error> {
        if self.takes(token) { Ok(()) } else { Err(self.error(&format!("expected '{token}'"))) }
    }

    fn binary(&mut self, level: usize) -> Result<Expression, Error> {
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.binary(level + 1)?;
        while let Some((_, operator)) = operators.iter().find(|(token, _)| self.takes(token)) {
            let right = self.binary(level + 1)?;
            left = Expression::Binary(*operator, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expression, Error> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(self.error("too many nested parts"));
        }
        let inner = if self.takes("-") {
            Expression::Negate(Box::new(self.unary()?))
        } else {
            let base = self.primary()?;
            if self.takes("^") {
                Expression::Binary(Operator::Power, Box::new(base), Box::new(self.unary()?))
            } else {
                base
            }
        };
        self.depth -= 1;
        Ok(inner)
    }

    fn primary(&mut self) -> Result<Expression, Error> {
        if self.takes("(") {
            let inner = self.binary(0)?;
            self.expect(")")?;
            return Ok(inner);
        }
        if self.takes("[") {
            return Ok(Expression::List(self.items("]")?));
        }
        self.space();
        let rest = self.rest();
        if let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\'')) {
            let inner = &rest[1..];
            let end = inner.find(quote).ok_or_else(|| self.error("a text without its end"))?;
            self.at += end + 2;
            return Ok(Expression::Text(inner[..end].to_owned()));
        }
        if rest.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            let number = rest[..end].parse().map_err(|_| self.error("not a number"))?;
            self.at += end;
            return Ok(Expression::Number(number));
        }
        let end = rest.find(|c| !is_id_char(c)).unwrap_or(rest.len());
        if end == 0 {
            return Err(self.error("expected a metric, a number or a function"));
        }
        let name = rest[..end].to_owned();
        self.at += end;
        if self.takes("(") {
            let items = self.items(")")?;
            return if name == "SEARCH" { search(&items) } else { Ok(Expression::Call(name, items)) };
        }
        Ok(Expression::Id(name))
    }

    fn items(&mut self, end: &str) -> Result<Vec<Expression>, Error> {
        let mut items = Vec::new();
        if self.takes(end) {
            return Ok(items);
        }
        loop {
            items.push(self.binary(0)?);
            if self.takes(end) {
                return Ok(items);
            }
            self.expect(",")?;
        }
    }
}

fn search(items: &[Expression]) -> Result<Expression, Error> {
    let search = match items {
        [Expression::Text(query), Expression::Text(stat)] => Search::parse(query, stat, None),
        [Expression::Text(query), Expression::Text(stat), Expression::Number(period)] => {
            Search::parse(query, stat, Some(*period))
        }
        _ => Err(Error::Validation(
            "Error in expression: SEARCH needs a query and a statistic, both in quotes, and may have a period in seconds".into(),
        )),
    };
    Ok(Expression::Search(Box::new(search?)))
}

fn is_id_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

impl Expression {
    /// The ids that it names, for the order of evaluation. METRICS() names none.
    pub(crate) fn ids<'a>(&'a self, into: &mut Vec<&'a str>) {
        match self {
            Expression::Number(_) | Expression::Text(_) | Expression::Search(_) => {}
            Expression::Id(id) => into.push(id),
            Expression::Negate(inner) => inner.ids(into),
            Expression::Binary(_, left, right) => {
                left.ids(into);
                right.ids(into);
            }
            Expression::Call(_, items) | Expression::List(items) => items.iter().for_each(|i| i.ids(into)),
        }
    }

    /// Its searches, each of which reads metrics.
    pub(crate) fn searches<'a>(&'a mut self, into: &mut Vec<&'a mut Search>) {
        match self {
            Expression::Number(_) | Expression::Text(_) | Expression::Id(_) => {}
            Expression::Search(search) => into.push(search),
            Expression::Negate(inner) => inner.searches(into),
            Expression::Binary(_, left, right) => {
                left.searches(into);
                right.searches(into);
            }
            Expression::Call(_, items) | Expression::List(items) => {
                items.iter_mut().for_each(|i| i.searches(into));
            }
        }
    }
}
