//! What an application shows to the outside, compared with what its manifest promises and with the same application elsewhere.
//!
//! [`Side`] is one deployment, as plain data: its URLs, what the manifest expects of them, and what the account's APIs report.
//! [`visits`] lists the requests to send, [`observe()`] turns the answers into observations, [`differences`] compares two sides. This is
//! pure: the caller reads the APIs and sends the requests.

mod observe;
mod side;

pub use observe::observe;
pub use side::{
    Answer, Answers, Balancer, Behaviour, Database, Header, Node, Protocol, Side, Signed, TargetGroup, Visit,
    visits,
};

use serde::Serialize;

/// One fact about a side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Observation {
    /// What is checked: `headers`, `signature`, `database`.
    pub check: &'static str,
    /// Of what: a path, a header of a path, a logical id. The same on every side.
    pub subject: String,
    /// By the manifest. `None`: it says nothing about this, so that only sides are compared.
    pub expected: Option<String>,
    /// `None`: not checked, for the reason in `note`.
    pub observed: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Observation {
    pub fn is_failed(&self) -> bool {
        self.observed.is_some() && self.expected.is_some() && self.observed != self.expected
    }
}

/// Two sides that show different things.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    pub check: &'static str,
    pub subject: String,
    /// What each side shows. `None`: this side has no such subject.
    pub first: Option<String>,
    pub second: Option<String>,
    /// Whether both are as their own environment of the manifest expects.
    pub is_configured: bool,
}

/// The differences of two sides. What either side could not check is none.
pub fn differences(first: &[Observation], second: &[Observation]) -> Vec<Difference> {
    let of = |all: &'_ [Observation], one: &Observation| {
        all.iter().find(|o| o.check == one.check && o.subject == one.subject).cloned()
    };
    let mut found = Vec::new();
    for one in first.iter().filter(|o| o.observed.is_some()) {
        let other = of(second, one);
        if other.as_ref().is_some_and(|o| o.observed.is_none() || o.observed == one.observed) {
            continue;
        }
        let is_configured = other.as_ref().is_some_and(|o| is_met(one) && is_met(o));
        found.push(Difference {
            check: one.check,
            subject: one.subject.clone(),
            first: one.observed.clone(),
            second: other.and_then(|o| o.observed),
            is_configured,
        });
    }
    let only_second = second.iter().filter(|o| o.observed.is_some() && of(first, o).is_none());
    found.extend(only_second.map(|o| Difference {
        check: o.check,
        subject: o.subject.clone(),
        first: None,
        second: o.observed.clone(),
        is_configured: false,
    }));
    found
}

fn is_met(one: &Observation) -> bool {
    one.expected.is_some() && !one.is_failed()
}

#[cfg(test)]
mod tests;
