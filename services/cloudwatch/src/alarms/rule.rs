//! The rule of a composite alarm: its grammar, and whether it holds. Pure.
//!
//! `NOT` binds more than `AND`, and `AND` more than `OR`. Names with blanks or parentheses are in double quotes.
//!
//! Source: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html>

use super::name_of_arn;
use crate::Error;
use escale_tables::cloudwatch::{AlarmName, StateValue};
use std::collections::BTreeSet;

/// AWS's limits: alarms that a rule names, and its elements (alarms, TRUE and FALSE).
const CHILDREN: usize = 100;
const ELEMENTS: usize = 500;
/// Parentheses and NOT inside of each other: each is a call of the parser.
const DEPTH: usize = 100;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Rule {
    Constant(bool),
    /// Whether an alarm is in a state.
    Is(StateValue, AlarmName),
    Not(Box<Rule>),
    And(Vec<Rule>),
    Or(Vec<Rule>),
    AtLeast(AtLeast),
}

/// Whether enough of some alarms are in a state, or in another one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AtLeast {
    needed: usize,
    state: StateValue,
    is_negated: bool,
    names: Vec<AlarmName>,
}

impl Rule {
    pub(crate) fn parse(text: &str) -> Result<Rule, Error> {
        let tokens = tokens(text)?;
        let mut parser = Parser { tokens: &tokens, depth: 0 };
        let rule = parser.any()?;
        if let Some(rest) = parser.tokens.first() {
            return Err(invalid(&format!("{rest} follows a complete expression")));
        }
        let mut names = Vec::new();
        let elements = rule.elements(&mut names);
        let children: BTreeSet<_> = names.into_iter().collect();
        if children.len() > CHILDREN || elements > ELEMENTS {
            return Err(Error::Limit(format!(
                "AlarmRule names {} alarms in {elements} elements; at most {CHILDREN} alarms and {ELEMENTS} elements are allowed.",
                children.len()
            )));
        }
        Ok(rule)
    }

    /// The alarms in it.
    pub(crate) fn children(&self) -> BTreeSet<AlarmName> {
        let mut names = Vec::new();
        self.elements(&mut names);
        names.into_iter().cloned().collect()
    }

    fn elements<'a>(&'a self, names: &mut Vec<&'a AlarmName>) -> usize {
        match self {
            Rule::Constant(_) => 1,
            Rule::Is(_, name) => {
                names.push(name);
                1
            }
            Rule::Not(rule) => rule.elements(names),
            Rule::AtLeast(of) => {
                names.extend(&of.names);
                of.names.len()
            }
            Rule::And(rules) | Rule::Or(rules) => rules.iter().map(|rule| rule.elements(names)).sum(),
        }
    }

    /// Whether it holds while alarms are in these states. An alarm without a state is in none.
    pub(crate) fn holds(&self, state: &impl Fn(&AlarmName) -> Option<StateValue>) -> bool {
        match self {
            Rule::Constant(value) => *value,
            Rule::Is(wanted, name) => state(name) == Some(*wanted),
            Rule::Not(rule) => !rule.holds(state),
            Rule::And(rules) => rules.iter().all(|rule| rule.holds(state)),
            Rule::Or(rules) => rules.iter().any(|rule| rule.holds(state)),
            Rule::AtLeast(of) => {
                let counts = |name: &&AlarmName| (state(name) == Some(of.state)) != of.is_negated;
                of.names.iter().filter(counts).count() >= of.needed
            }
        }
    }
}

fn invalid(why: &str) -> Error {
    Error::Validation(format!("AlarmRule is not a valid expression: {why}."))
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Open,
    Close,
    Word(String),
    /// A name in quotes is never a keyword.
    Quoted(String),
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Token::Open => f.write_str("'('"),
            Token::Close => f.write_str("')'"),
            Token::Word(word) | Token::Quoted(word) => write!(f, "'{word}'"),
        }
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, Error> {
    let (mut tokens, mut chars) = (Vec::new(), text.chars().peekable());
    while let Some(c) = chars.next() {
        match c {
            _ if c.is_whitespace() => {}
            '(' => tokens.push(Token::Open),
            ')' => tokens.push(Token::Close),
            '"' => {
                let mut name = String::new();
                loop {
                    match chars.next() {
                        Some('"') => break,
                        Some('\\') => name.extend(chars.next()),
                        Some(c) => name.push(c),
                        None => {
                            return Err(invalid(&format!("the name \"{name} has no closing quotation mark")));
                        }
                    }
                }
                tokens.push(Token::Quoted(name));
            }
            first => {
                let mut word = String::from(first);
                while let Some(c) = chars.next_if(|c| !c.is_whitespace() && !matches!(c, '(' | ')' | '"')) {
                    word.push(c);
                }
                tokens.push(Token::Word(word));
            }
        }
    }
    Ok(tokens)
}

struct Parser<'a> {
    tokens: &'a [Token],
    depth: usize,
}

impl Parser<'_> {
    fn any(&mut self) -> Result<Rule, Error> {
        let first = self.all()?;
        let mut rules = vec![first];
        while self.accept("OR") {
            rules.push(self.all()?);
        }
        Ok(one_or(rules, Rule::Or))
    }

    fn all(&mut self) -> Result<Rule, Error> {
        let first = self.single()?;
        let mut rules = vec![first];
        while self.accept("AND") {
            rules.push(self.single()?);
        }
        Ok(one_or(rules, Rule::And))
    }

    fn single(&mut self) -> Result<Rule, Error> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(invalid(&format!("it is nested more than {DEPTH} times")));
        }
        let rule = self.inner();
        self.depth -= 1;
        rule
    }

    fn inner(&mut self) -> Result<Rule, Error> {
        let Some(token) = self.next() else { return Err(invalid("an operand is missing at its end")) };
        let word = match token {
            Token::Open => {
                let rule = self.any()?;
                self.close()?;
                return Ok(rule);
            }
            Token::Word(word) => word,
            other => return Err(invalid(&format!("{other} is not an operand"))),
        };
        match word.as_str() {
            "NOT" => Ok(Rule::Not(Box::new(self.single()?))),
            "TRUE" => Ok(Rule::Constant(true)),
            "FALSE" => Ok(Rule::Constant(false)),
            "AT_LEAST" => self.at_least(),
            word => {
                let state = word.parse().map_err(|_| {
                    invalid(&format!(
                        "'{word}' is not a function; use ALARM, OK, INSUFFICIENT_DATA or AT_LEAST"
                    ))
                })?;
                self.child(state)
            }
        }
    }

    /// The parenthesis behind a function.
    fn child(&mut self, state: StateValue) -> Result<Rule, Error> {
        if self.next() != Some(Token::Open) {
            return Err(invalid(&format!("{state} needs the name of an alarm in parentheses")));
        }
        let name = alarm_name(self.next());
        let name = name.ok_or_else(|| invalid(&format!("{state}() needs the name of an alarm")))?;
        self.close()?;
        Ok(Rule::Is(state, name?))
    }

    /// `(2, ALARM, (a, b, c))`, or `(50%, NOT OK, (a, b, c))`.
    fn at_least(&mut self) -> Result<Rule, Error> {
        const FORM: &str = "AT_LEAST needs a number or a percentage, a state, and alarms in parentheses: AT_LEAST(2, ALARM, (a, b, c))";
        let wrong = || invalid(FORM);
        // Between its parentheses, a comma separates words.
        let mut depth = 0usize;
        let end = self.tokens.iter().position(|token| {
            depth += usize::from(*token == Token::Open);
            depth = depth.saturating_sub(usize::from(*token == Token::Close));
            depth == 0
        });
        let (own, rest) = self.tokens.split_at(end.map_or(self.tokens.len(), |end| end + 1));
        self.tokens = rest;
        let mut words = own.iter().flat_map(split_at_commas).collect::<Vec<_>>().into_iter().peekable();
        let comma = Token::Word(",".into());
        let text = |token: Option<Token>| match token {
            Some(Token::Word(word)) => Ok(word),
            _ => Err(wrong()),
        };
        let expect = |token: Option<Token>, expected: &Token| {
            if token.as_ref() == Some(expected) { Ok(()) } else { Err(wrong()) }
        };
        expect(words.next(), &Token::Open)?;
        let threshold = text(words.next())?;
        expect(words.next(), &comma)?;
        let is_negated = words.next_if_eq(&Token::Word("NOT".into())).is_some();
        let state = text(words.next())?.parse().map_err(|_| wrong())?;
        expect(words.next(), &comma)?;
        expect(words.next(), &Token::Open)?;
        let mut names = Vec::new();
        loop {
            names.push(alarm_name(words.next()).ok_or_else(wrong)??);
            match words.next() {
                Some(Token::Close) => break,
                other => expect(other, &comma)?,
            }
        }
        expect(words.next(), &Token::Close)?;
        let count = names.len();
        let needed = match threshold.strip_suffix('%') {
            Some(percent) => percent
                .parse()
                .ok()
                .filter(|n| (1..=100).contains(n))
                .map(|n: usize| (n * count).div_ceil(100)),
            None => threshold.parse().ok().filter(|n| (1..=count).contains(n)),
        };
        let needed = needed.ok_or_else(|| {
            invalid(&format!(
                "AT_LEAST needs 1 to {count} of its {count} alarms, or 1% to 100%; it has {threshold}"
            ))
        })?;
        Ok(Rule::AtLeast(AtLeast { needed, state, is_negated, names }))
    }

    fn next(&mut self) -> Option<Token> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first.clone())
    }

    fn accept(&mut self, keyword: &str) -> bool {
        let found = matches!(self.tokens.first(), Some(Token::Word(word)) if word == keyword);
        if found {
            self.tokens = &self.tokens[1..];
        }
        found
    }

    fn close(&mut self) -> Result<(), Error> {
        match self.next() {
            Some(Token::Close) => Ok(()),
            Some(other) => Err(invalid(&format!("{other} is where ')' should be"))),
            None => Err(invalid("')' is missing at its end")),
        }
    }
}

/// The alarm of a name or an ARN.
fn alarm_name(token: Option<Token>) -> Option<Result<AlarmName, Error>> {
    match token {
        Some(Token::Word(name) | Token::Quoted(name)) if !name.is_empty() => {
            Some(if name.starts_with("arn:") { name_of_arn(&name) } else { Ok(AlarmName(name)) })
        }
        _ => None,
    }
}

/// Commas of a word as tokens of their own.
fn split_at_commas(token: &Token) -> Vec<Token> {
    let Token::Word(word) = token else { return vec![token.clone()] };
    let parts = word.split_inclusive(',').flat_map(|part| match part.strip_suffix(',') {
        Some(before) => [before, ","],
        None => [part, ""],
    });
    parts.filter(|part| !part.is_empty()).map(|part| Token::Word(part.to_owned())).collect()
}

fn one_or(mut rules: Vec<Rule>, several: fn(Vec<Rule>) -> Rule) -> Rule {
    match rules.pop() {
        Some(only) if rules.is_empty() => only,
        Some(last) => {
            rules.push(last);
            several(rules)
        }
        None => several(rules),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `a` is in ALARM, `b` is OK, `c` has no data, and no other alarm exists.
    fn state(name: &AlarmName) -> Option<StateValue> {
        match name.as_str() {
            "a" => Some(StateValue::Alarm),
            "b" | "my alarm (1)" => Some(StateValue::Ok),
            "c" => Some(StateValue::InsufficientData),
            _ => None,
        }
    }

    #[test]
    fn reads_every_form() {
        for (text, holds) in [
            ("TRUE", true),
            ("FALSE", false),
            ("ALARM(a)", true),
            ("ALARM(\"a\")", true),
            ("ALARM( arn:aws:cloudwatch:eu-west-3:000000000000:alarm:a )", true),
            ("OK(\"my alarm (1)\")", true),
            ("INSUFFICIENT_DATA(c)", true),
            ("ALARM(none) OR OK(none) OR INSUFFICIENT_DATA(none)", false),
            ("NOT ALARM(none)", true),
            ("ALARM(a) AND NOT OK(b)", false),
            ("FALSE AND FALSE OR TRUE", true),
            ("TRUE OR FALSE AND FALSE", true),
            ("(TRUE OR FALSE) AND FALSE", false),
            ("NOT FALSE AND FALSE", false),
            ("NOT (FALSE AND FALSE)", true),
            ("NOT NOT ALARM(a)", true),
            ("AT_LEAST(1, ALARM, (a, b, c))", true),
            ("AT_LEAST(2, ALARM, (a,b,c))", false),
            ("AT_LEAST(2,NOT ALARM,(a,b,c))", true),
            ("AT_LEAST(33%, ALARM, (a, b, c))", true),
            ("AT_LEAST(34%, ALARM, (a, b, c))", false),
            ("AT_LEAST(100%, NOT OK, (a, c, none))", true),
            ("NOT AT_LEAST(1, OK, (\"my alarm (1)\", a)) OR FALSE", false),
            ("AT_LEAST(1, ALARM, (arn:aws:cloudwatch:eu-west-3:000000000000:alarm:a , b)) AND OK(b)", true),
            ("(ALARM(a) AND\n(NOT ALARM(b)))", true),
        ] {
            assert_eq!(Rule::parse(text).unwrap().holds(&state), holds, "{text}");
        }
    }

    #[test]
    fn refuses_other_texts_and_says_why() {
        for (text, why) in [
            ("", "missing"),
            ("ALARM", "parentheses"),
            ("ALARM()", "name of an alarm"),
            ("ALARM(a", "')' is missing"),
            ("ALARM(a b)", "'b' is where"),
            ("ALARM(a) ALARM(b)", "follows a complete"),
            ("ALARM(a) AND", "missing"),
            ("OR ALARM(a)", "'OR' is not a function"),
            ("WARN(a)", "'WARN' is not a function"),
            ("\"ALARM\"(a)", "not an operand"),
            ("ALARM(\"a)", "no closing quotation mark"),
            ("AT_LEAST", "AT_LEAST needs"),
            ("AT_LEAST(1, ALARM, a)", "AT_LEAST needs"),
            ("AT_LEAST(1, WARN, (a))", "AT_LEAST needs"),
            ("AT_LEAST(1 ALARM (a))", "AT_LEAST needs"),
            ("AT_LEAST(1, ALARM, ())", "AT_LEAST needs"),
            ("AT_LEAST(1, ALARM, (a, b)", "AT_LEAST needs"),
            ("AT_LEAST(0, ALARM, (a))", "1 to 1"),
            ("AT_LEAST(3, ALARM, (a, b))", "it has 3"),
            ("AT_LEAST(101%, ALARM, (a, b))", "it has 101%"),
            ("AT_LEAST(1, ALARM, (a)) b", "follows a complete"),
            ("ALARM(arn:aws:sns:eu-west-3:000000000000:a)", "arn:aws:sns"),
            (&"NOT ".repeat(200), "nested"),
            (&vec!["TRUE"; 501].join(" OR "), "501 elements"),
        ] {
            let error = Rule::parse(text).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    /// A rule of the numbers of a sequence, and its text with as few parentheses as the precedence of the operators allows.
    fn random(seed: &mut u64, depth: u32, binds: u8) -> (Rule, String) {
        let mut next = |n: u64| {
            *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (*seed >> 33) % n
        };
        let kind = if depth == 0 { next(2) } else { next(5) };
        let several = |seed: &mut u64, count, own| {
            (0..count).map(|_| random(seed, depth - 1, own)).unzip::<_, _, Vec<_>, Vec<_>>()
        };
        let (rule, text, own) = match kind {
            0 => {
                let value = next(2) == 0;
                (Rule::Constant(value), if value { "TRUE" } else { "FALSE" }.to_owned(), 3)
            }
            1 => {
                let state =
                    [StateValue::Ok, StateValue::Alarm, StateValue::InsufficientData][next(3) as usize];
                let name = ["a", "b", "c", "none"][next(4) as usize];
                (Rule::Is(state, AlarmName(name.into())), format!("{state}({name})"), 3)
            }
            2 => {
                let (rule, text) = random(seed, depth - 1, 3);
                (Rule::Not(Box::new(rule)), format!("NOT {text}"), 3)
            }
            3 => {
                let count = 2 + next(2);
                let (rules, texts) = several(seed, count, 2);
                (Rule::And(rules), texts.join(" AND "), 1)
            }
            _ => {
                let count = 2 + next(2);
                let (rules, texts) = several(seed, count, 1);
                (Rule::Or(rules), texts.join(" OR "), 0)
            }
        };
        (rule, if own < binds { format!("({text})") } else { text })
    }

    /// What every rule must do, on thousands of them.
    #[test]
    fn every_rule_is_read_as_it_is_written_and_follows_logic() {
        let mut seed = 7;
        for _ in 0..5000 {
            let (rule, text) = random(&mut seed, 4, 0);
            assert_eq!(Rule::parse(&text).unwrap(), rule, "{text}");
            let holds = rule.holds(&state);
            assert_eq!(Rule::parse(&format!("NOT ({text})")).unwrap().holds(&state), !holds, "{text}");
            assert_eq!(Rule::parse(&format!("({text}) AND TRUE")).unwrap().holds(&state), holds, "{text}");
            assert!(
                Rule::parse(&format!("({text}) OR NOT ({text})")).is_ok_and(|r| r.holds(&state)),
                "{text}"
            );
            let not = |rule: &Rule| Rule::Not(Box::new(rule.clone()));
            let swapped = match &rule {
                Rule::And(rules) => not(&Rule::Or(rules.iter().map(not).collect())),
                Rule::Or(rules) => not(&Rule::And(rules.iter().map(not).collect())),
                other => other.clone(),
            };
            assert_eq!(swapped.holds(&state), holds, "De Morgan: {text}");
            // The value depends on the states of the children alone.
            let children = rule.children();
            let known = |name: &AlarmName| state(name).filter(|_| children.contains(name));
            assert_eq!(rule.holds(&known), holds, "{text}");
        }
    }
}
