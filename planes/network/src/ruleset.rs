//! A firewall table as data, and the script that changes one into another in a single transaction. Pure.
//!
//! Knows nftables' grammar and nothing of networks. It respects these rules (nftables 1.0.6): adding does not overwrite
//! a map's element; a chain can only be deleted when nothing jumps to it; a `;` comes before a closing brace.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

/// The table's family and name in its network namespace, where no other program has tables.
pub(crate) const TABLE: &str = "ip net";
pub(crate) const TABLE_NAME: &str = "net";

/// The type of all sets.
const SET_OF: &str = "ipv4_addr";

/// New elements of one set that are written without `nft` at most: they fit into one message.
const FEW: usize = 100;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ruleset {
    pub(crate) chains: BTreeMap<String, Chain>,
    pub(crate) sets: BTreeMap<String, BTreeSet<String>>,
    pub(crate) maps: BTreeMap<String, Map>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chain {
    /// Makes it a base chain: `type … hook … priority …; policy …;`. Never changes for a name.
    pub(crate) hook: Option<&'static str>,
    pub(crate) rules: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Map {
    /// `key : value`, in nft's type names.
    pub(crate) of: &'static str,
    pub(crate) elements: BTreeMap<String, String>,
}

/// The result of [`Ruleset::script`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// For `nft -f -`; empty when nothing changes.
    pub(crate) script: String,
    /// Whether a packet that was allowed may now be refused.
    pub(crate) restricts: bool,
}

/// The new elements of a set or map.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NewElements<'a> {
    pub(crate) name: &'a str,
    /// `key` or `key : value`, in nft's type names.
    pub(crate) of: &'static str,
    pub(crate) elements: Vec<(&'a String, Option<&'a String>)>,
}

impl Ruleset {
    /// The difference from `old` if that consists of a few new elements, as for most new interfaces.
    pub(crate) fn few_new_elements<'a>(&'a self, old: &'a Ruleset) -> Option<Vec<NewElements<'a>>> {
        let same_names = self.sets.keys().eq(old.sets.keys()) && self.maps.keys().eq(old.maps.keys());
        if self.chains != old.chains || !same_names {
            return None;
        }
        let sets = self.sets.iter().zip(old.sets.values()).map(|((name, new), old)| {
            let elements = new.difference(old).map(|element| (element, None)).collect();
            (NewElements { name, of: SET_OF, elements }, old.is_subset(new))
        });
        let maps = self.maps.iter().zip(old.maps.values()).map(|((name, new), old)| {
            let is_new = |(key, _): &(&String, &String)| !old.elements.contains_key(*key);
            let elements =
                new.elements.iter().filter(is_new).map(|(key, value)| (key, Some(value))).collect();
            let stay = old.elements.iter().all(|(key, value)| new.elements.get(key) == Some(value));
            (NewElements { name, of: new.of, elements }, stay && new.of == old.of)
        });
        let mut all = Vec::new();
        for (new, others_stay) in sets.chain(maps) {
            if !others_stay || new.elements.len() > FEW {
                return None;
            }
            if !new.elements.is_empty() {
                all.push(new);
            }
        }
        Some(all)
    }

    /// The script that changes `old` into this one, or replaces the whole table if `old` is not known. Replacing the table in
    /// one transaction leaves connections alone: connection tracking is not part of the table.
    pub(crate) fn script(&self, old: Option<&Ruleset>) -> Change {
        let empty = Ruleset::default();
        let mut out = String::new();
        if old.is_none() {
            // `delete` fails for a table that does not exist, so it is added first.
            for verb in ["add", "delete", "add"] {
                let _ = writeln!(out, "{verb} table {TABLE}");
            }
        }
        let restricts = self.changes(old.unwrap_or(&empty), &mut out) || old.is_none();
        Change { script: out, restricts }
    }

    fn changes(&self, old: &Ruleset, out: &mut String) -> bool {
        let mut restricts = false;
        self.declare(old, out);
        // References are removed first, so that their targets can be deleted.
        for (name, map) in &old.maps {
            let kept = self.maps.get(name).map(|m| &m.elements);
            // Changed elements as well: adding does not overwrite.
            let gone = map.elements.iter().filter(|(k, v)| kept.is_none_or(|m| m.get(*k) != Some(v)));
            restricts |= element_list(out, "delete", name, gone.map(|(k, _)| k.clone()));
        }
        for (name, elements) in &old.sets {
            let kept = self.sets.get(name);
            let gone = elements.iter().filter(|e| kept.is_none_or(|s| !s.contains(*e)));
            restricts |= element_list(out, "delete", name, gone.cloned());
        }
        for (name, chain) in &old.chains {
            match self.chains.get(name) {
                // Only rules at the end are new: they are appended without a flush.
                Some(new) if new.rules.starts_with(&chain.rules) => continue,
                Some(new) => restricts |= chain.rules.iter().any(|r| !new.rules.contains(r)),
                None => restricts = true,
            }
            let _ = writeln!(out, "flush chain {TABLE} {name}");
        }
        for (name, chain) in &self.chains {
            let current = old.chains.get(name).map_or(&[][..], |c| &c.rules);
            let from = if chain.rules.starts_with(current) { current.len() } else { 0 };
            for rule in &chain.rules[from..] {
                let _ = writeln!(out, "add rule {TABLE} {name} {rule}");
            }
        }
        self.elements(old, out);
        for name in old.chains.keys().filter(|n| !self.chains.contains_key(*n)) {
            let _ = writeln!(out, "delete chain {TABLE} {name}");
        }
        for name in old.sets.keys().filter(|n| !self.sets.contains_key(*n)) {
            let _ = writeln!(out, "delete set {TABLE} {name}");
        }
        for name in old.maps.keys().filter(|n| !self.maps.contains_key(*n)) {
            let _ = writeln!(out, "delete map {TABLE} {name}");
        }
        restricts
    }

    /// Declares new sets, maps and chains, still empty: rules may then refer to any of them.
    fn declare(&self, old: &Ruleset, out: &mut String) {
        for name in self.sets.keys().filter(|n| !old.sets.contains_key(*n)) {
            let _ = writeln!(out, "add set {TABLE} {name} {{ type {SET_OF}; }}");
        }
        for (name, map) in self.maps.iter().filter(|(n, _)| !old.maps.contains_key(*n)) {
            let _ = writeln!(out, "add map {TABLE} {name} {{ type {}; }}", map.of);
        }
        for (name, chain) in self.chains.iter().filter(|(n, _)| !old.chains.contains_key(*n)) {
            let hook = chain.hook.map(|h| format!(" {{ {h} }}")).unwrap_or_default();
            let _ = writeln!(out, "add chain {TABLE} {name}{hook}");
        }
    }

    fn elements(&self, old: &Ruleset, out: &mut String) {
        for (name, elements) in &self.sets {
            let current = old.sets.get(name);
            let new = elements.iter().filter(|e| current.is_none_or(|s| !s.contains(*e)));
            element_list(out, "add", name, new.cloned());
        }
        for (name, map) in &self.maps {
            let current = old.maps.get(name).map(|m| &m.elements);
            let new = map.elements.iter().filter(|(k, v)| current.is_none_or(|m| m.get(*k) != Some(v)));
            element_list(out, "add", name, new.map(|(k, v)| format!("{k} : {v}")));
        }
    }
}

/// Writes one command for all elements; returns whether there were any.
fn element_list(out: &mut String, verb: &str, name: &str, elements: impl Iterator<Item = String>) -> bool {
    let all: Vec<String> = elements.collect();
    if !all.is_empty() {
        let _ = writeln!(out, "{verb} element {TABLE} {name} {{ {} }}", all.join(", "));
    }
    !all.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn with(rules: &[&str], map: &[(&str, &str)]) -> Ruleset {
        let mut set = Ruleset::default();
        set.sets.insert("members".into(), BTreeSet::from(["10.0.0.4".to_owned()]));
        for (_, chain) in map {
            set.chains.insert(chain.trim_start_matches("jump ").into(), Chain::default());
        }
        let rules = rules.iter().map(|r| (*r).to_owned()).collect();
        set.chains.insert(
            "base".into(),
            Chain { hook: Some("type filter hook forward priority 0; policy drop;"), rules },
        );
        let elements = map.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        set.maps.insert("of".into(), Map { of: "ifname : verdict", elements });
        set
    }

    fn check(old: Option<Ruleset>, new: &Ruleset, restricts: bool, script: Expect) {
        let change = new.script(old.as_ref());
        script.assert_eq(&change.script);
        assert_eq!(change.restricts, restricts);
    }

    #[test]
    fn unknown_table_is_replaced_as_a_whole() {
        check(
            None,
            &with(&["accept"], &[("a", "jump in_a")]),
            true,
            expect![[r#"
            add table ip net
            delete table ip net
            add table ip net
            add set ip net members { type ipv4_addr; }
            add map ip net of { type ifname : verdict; }
            add chain ip net base { type filter hook forward priority 0; policy drop; }
            add chain ip net in_a
            add rule ip net base accept
            add element ip net members { 10.0.0.4 }
            add element ip net of { a : jump in_a }
        "#]],
        );
    }

    #[test]
    fn equal_rulesets_need_no_script() {
        let set = with(&["accept"], &[]);
        check(Some(set.clone()), &set, false, expect![""]);
    }

    #[test]
    fn an_addition_restricts_nothing_and_touches_nothing_else() {
        let old = with(&["x"], &[("a", "jump in_a")]);
        check(
            Some(old),
            &with(&["x", "y"], &[("a", "jump in_a"), ("b", "jump in_b")]),
            false,
            expect![[r#"
            add chain ip net in_b
            add rule ip net base y
            add element ip net of { b : jump in_b }
        "#]],
        );
    }

    #[test]
    fn few_new_elements_need_no_script() {
        let old = with(&["x"], &[("a", "jump in_a")]);
        let mut new = old.clone();
        new.sets.get_mut("members").expect("a set").insert("10.0.0.5".into());
        new.maps.get_mut("of").expect("a map").elements.insert("b".into(), "jump in_a".into());
        let found = new.few_new_elements(&old).expect("only new elements");
        let names: Vec<_> = found.iter().map(|new| (new.name, new.of, new.elements.len())).collect();
        assert_eq!(names, [("members", "ipv4_addr", 1), ("of", "ifname : verdict", 1)]);
        assert_eq!(old.few_new_elements(&old), Some(vec![]));
        // An element that goes or changes, and another chain, need a script.
        assert_eq!(old.few_new_elements(&new), None);
        let mut changed = old.clone();
        changed.maps.get_mut("of").expect("a map").elements.insert("a".into(), "jump base".into());
        assert_eq!(changed.few_new_elements(&old), None);
        assert_eq!(with(&["y"], &[("a", "jump in_a")]).few_new_elements(&old), None);
    }

    #[test]
    fn deletes_references_before_their_targets() {
        let old = with(&["x", "y"], &[("a", "jump in_a")]);
        check(
            Some(old),
            &with(&["y"], &[("a", "jump in_b")]),
            true,
            expect![[r#"
            add chain ip net in_b
            delete element ip net of { a }
            flush chain ip net base
            flush chain ip net in_a
            add rule ip net base y
            add element ip net of { a : jump in_b }
            delete chain ip net in_a
        "#]],
        );
    }
}
