//! Lifecycle policies: checks them, and decides which images expire.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html> and
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html>

use crate::{
    Error,
    choices::{LifecycleAction, LifecycleCount, LifecycleTags, LifecycleUnit},
};
use escale_base::{
    AwsError, Timestamp, Wire,
    wire::{self, Value},
};
use escale_registry::Digest;
use std::collections::{BTreeMap, BTreeSet, HashSet};

const DAY_MS: i64 = 24 * 3_600_000;
/// AWS's quotas: <https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html>
const RULES_MAX: usize = 50;
/// The wildcards in one pattern.
const WILDCARDS_MAX: usize = 4;

#[derive(Debug, Wire)]
#[wire(camelCase)]
pub(crate) struct Policy {
    rules: Vec<Rule>,
}

#[derive(Debug, Wire)]
#[wire(camelCase)]
struct Rule {
    rule_priority: u32,
    description: Option<String>,
    selection: Selection,
    action: Action,
}

#[derive(Debug, Wire)]
#[wire(camelCase)]
struct Selection {
    tag_status: LifecycleTags,
    tag_prefix_list: Option<Vec<String>>,
    tag_pattern_list: Option<Vec<String>>,
    count_type: LifecycleCount,
    count_unit: Option<LifecycleUnit>,
    count_number: u32,
}

#[derive(Debug, Wire)]
#[wire(camelCase)]
struct Action {
    r#type: LifecycleAction,
}

impl Policy {
    /// Reads and checks a policy.
    pub(crate) fn parse(text: &str) -> Result<Policy, Error> {
        let tree: Value = serde_json::from_str(text).map_err(|error| invalid(&error.to_string()))?;
        if let Some(unknown) = wire::unread::<Policy>(&tree).first() {
            let what = format_args!("The member {unknown} of a lifecycle policy");
            return Err(AwsError::not_supported(what).hint("Remove it from the policy.").into());
        }
        let mut policy = Policy::read(&tree).map_err(|error| invalid(&error.to_string()))?;
        if policy.rules.is_empty() || policy.rules.len() > RULES_MAX {
            return Err(invalid(&format!("a policy must have from 1 to {RULES_MAX} rules")));
        }
        policy.rules.iter().try_for_each(Rule::check)?;
        policy.rules.sort_by_key(|rule| rule.rule_priority);
        policy.check_together()?;
        Ok(policy)
    }

    /// The checks of rules, sorted by priority, against each other.
    fn check_together(&self) -> Result<(), Error> {
        if self.rules.windows(2).any(|pair| pair[0].rule_priority == pair[1].rule_priority) {
            return Err(invalid("each rule must have a rulePriority of its own"));
        }
        let of = |status| self.rules.iter().filter(move |rule| rule.selection.tag_status == status);
        if of(LifecycleTags::Untagged).count() > 1 {
            return Err(invalid("only one rule can select untagged images"));
        }
        let last = self.rules.last().map(|rule| rule.rule_priority);
        if of(LifecycleTags::Any).any(|rule| Some(rule.rule_priority) != last) {
            return Err(invalid("a rule with the tagStatus any must have the highest rulePriority"));
        }
        let mut prefixes = HashSet::new();
        let mut all = self.rules.iter().flat_map(|rule| rule.selection.tag_prefix_list.iter().flatten());
        match all.find(|prefix| !prefixes.insert(*prefix)) {
            Some(again) => Err(invalid(&format!("the tag prefix {again} is used more than once"))),
            None => Ok(()),
        }
    }
}

fn invalid(why: &str) -> Error {
    let why = format!("Lifecycle policy validation failure: {why}");
    Error::Invalid { parameter: "LifecyclePolicyText", why }
}

impl Rule {
    fn check(&self) -> Result<(), Error> {
        let refuse = |what: String, hint: &str| Err(AwsError::not_supported(what).hint(hint).into());
        if self.action.r#type != LifecycleAction::Expire {
            return refuse(format!("The lifecycle action {}", self.action.r#type), "Use expire.");
        }
        let selection = &self.selection;
        let unit = match selection.count_type {
            LifecycleCount::ImageCountMoreThan => None,
            LifecycleCount::SinceImagePushed => Some(LifecycleUnit::Days),
            other => {
                return refuse(
                    format!("The countType {other}"),
                    "Use imageCountMoreThan or sinceImagePushed.",
                );
            }
        };
        if self.rule_priority == 0 || selection.count_number == 0 {
            return Err(invalid("rulePriority and countNumber must be positive"));
        }
        if selection.count_unit != unit {
            return Err(invalid("countUnit must be days with sinceImagePushed, and absent otherwise"));
        }
        let lists = [&selection.tag_prefix_list, &selection.tag_pattern_list];
        let given = lists.iter().filter(|list| list.is_some()).count();
        if lists.into_iter().flatten().any(Vec::is_empty)
            || given != usize::from(selection.tag_status == LifecycleTags::Tagged)
        {
            return Err(invalid(
                "a rule with the tagStatus tagged must have a tagPrefixList or a tagPatternList, and no other rule can have one",
            ));
        }
        let patterns = selection.tag_pattern_list.iter().flatten();
        match patterns.into_iter().find(|pattern| pattern.matches('*').count() > WILDCARDS_MAX) {
            Some(pattern) => Err(invalid(&format!("{pattern} has more than {WILDCARDS_MAX} wildcards"))),
            None => Ok(()),
        }
    }
}

/// An image of the repository.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) digest: Digest,
    pub(crate) tags: Vec<String>,
    pub(crate) pushed: Timestamp,
    /// The image that this one belongs to, such as the signed one of a signature.
    pub(crate) subject: Option<Digest>,
    /// The images of an index.
    pub(crate) parts: Vec<Digest>,
}

/// The images that expire now.
///
/// Each rule selects among all images that match its tags, also those that an earlier rule expires. An image that matches the
/// tags of a rule cannot be expired by a later one. An image of an index stays as long as the index; an image with a subject
/// stays and expires with it.
pub(crate) fn expired(policy: &Policy, images: &[Candidate], now: Timestamp) -> BTreeSet<Digest> {
    let existing: BTreeMap<&Digest, &Candidate> = images.iter().map(|image| (&image.digest, image)).collect();
    let parts: HashSet<&Digest> = images.iter().flat_map(|image| &image.parts).collect();
    let has_subject =
        |image: &Candidate| image.subject.as_ref().is_some_and(|subject| existing.contains_key(subject));
    let mut candidates: Vec<&Candidate> =
        images.iter().filter(|image| !parts.contains(&image.digest) && !has_subject(image)).collect();
    candidates.sort_by(|a, b| b.pushed.cmp(&a.pushed).then_with(|| a.digest.cmp(&b.digest)));
    let (mut gone, mut decided) = (BTreeSet::new(), HashSet::new());
    for rule in &policy.rules {
        let selection = &rule.selection;
        let matching: Vec<_> = candidates.iter().filter(|image| selection.has_tags_of(image)).collect();
        let count = usize::try_from(selection.count_number).unwrap_or(usize::MAX);
        let oldest = now.plus_ms(-i64::from(selection.count_number) * DAY_MS);
        for (at, image) in matching.iter().enumerate() {
            let selected = match selection.count_type {
                LifecycleCount::SinceImagePushed => image.pushed < oldest,
                _ => at >= count,
            };
            if selected && !decided.contains(&image.digest) {
                gone.insert(image.digest.clone());
            }
        }
        decided.extend(matching.iter().map(|image| &image.digest));
    }
    let of_gone = |image: &&Candidate| image.subject.as_ref().is_some_and(|subject| gone.contains(subject));
    let dependent: Vec<_> = images.iter().filter(of_gone).map(|image| image.digest.clone()).collect();
    gone.extend(dependent);
    gone
}

impl Selection {
    /// All prefixes or patterns must match, each any of the tags.
    fn has_tags_of(&self, image: &Candidate) -> bool {
        let all = |list: &Option<Vec<String>>, matches: fn(&str, &str) -> bool| {
            list.iter().flatten().all(|wanted| image.tags.iter().any(|tag| matches(wanted, tag)))
        };
        match self.tag_status {
            LifecycleTags::Any => true,
            LifecycleTags::Untagged => image.tags.is_empty(),
            LifecycleTags::Tagged => {
                !image.tags.is_empty()
                    && all(&self.tag_prefix_list, |prefix, tag| tag.starts_with(prefix))
                    && all(&self.tag_pattern_list, matches_pattern)
            }
        }
    }
}

/// `*` matches any characters, also none.
fn matches_pattern(pattern: &str, tag: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == tag };
    let Some(mut left) = tag.strip_prefix(first) else { return false };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    for part in middle.split('*') {
        match left.split_once(part) {
            Some((_, after)) => left = after,
            None => return false,
        }
    }
    left.ends_with(last)
}

#[cfg(test)]
mod tests;
