//! Finds the items of two lists that belong together. Pure.

use super::compare::is_comparable;
use serde_json::Value;

/// The members by which an item is known in its list. The first one that both items have decides.
const IDENTITIES: &[&str] = &["Key", "Name", "Id", "Sid", "ParameterName", "FieldIndex"];

/// For each expected item the index of the actual one, and the actual items that have no partner.
pub(super) struct Pairs {
    pub(super) of_expected: Vec<Option<usize>>,
    pub(super) added: Vec<usize>,
}

impl Pairs {
    /// `are_equal` compares two items. Equal items are partners first: a service may return a list in another order.
    pub(super) fn new(
        expected: &[Value],
        actual: &[Value],
        are_equal: impl Fn(&Value, &Value) -> bool,
    ) -> Pairs {
        let mut of_expected = vec![None; expected.len()];
        let mut free: Vec<usize> = (0..actual.len()).collect();
        let mut pair = |of_expected: &mut Vec<Option<usize>>, matches: &dyn Fn(&Value, &Value) -> bool| {
            for (at, item) in expected.iter().enumerate().filter(|(_, item)| is_comparable(item)) {
                if of_expected[at].is_some() {
                    continue;
                }
                if let Some(found) = free.iter().position(|other| matches(item, &actual[*other])) {
                    of_expected[at] = Some(free.remove(found));
                }
            }
        };
        // Known items first: two equal ones may have different names of which one is not comparable.
        pair(&mut of_expected, &same_identity);
        pair(&mut of_expected, &are_equal);
        // The rest in order, but only structures without identity: a changed one is shown as changed.
        pair(&mut of_expected, &|one, other| identity(one).is_none() && identity(other).is_none());
        Pairs { of_expected, added: free }
    }
}

fn same_identity(one: &Value, other: &Value) -> bool {
    matches!((identity(one), identity(other)), (Some(one), Some(other)) if one == other)
}

fn identity(item: &Value) -> Option<(&'static str, &Value)> {
    IDENTITIES.iter().find_map(|name| Some((*name, item.get(name).filter(|value| value.is_string())?)))
}
