//! What a change set changes, in words for a person, and which data it would delete.

mod leaves;

use super::{client::Client, up::in_bucket};
use anyhow::Result;
use escale_wire::Element;
use serde_json::{Value, json};

/// The changes of one change set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes(pub(crate) Vec<Change>);

/// The change of one resource.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) kind: Kind,
    pub(crate) logical: String,
    pub(crate) type_name: String,
    pub(crate) physical: String,
    /// What happens to the resource that leaves the stack: `Delete`, `Retain`, `ReplaceAndDelete`, …
    policy: String,
    details: Vec<Detail>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Create,
    Change,
    /// It is replaced only if a value that is not known yet differs from the present one.
    MayReplace,
    Replace,
    Remove,
}

#[derive(Clone, Debug)]
struct Detail {
    name: String,
    before: String,
    after: String,
    causes_replacement: bool,
    /// The new value depends on another resource of the stack that changes, so it may be the present one.
    is_open: bool,
}

/// Types of resources whose deletion deletes data.
const STATEFUL: &[(&str, &str)] = &[
    ("AWS::RDS::DBInstance", "database"),
    ("AWS::S3::Bucket", "bucket"),
    ("AWS::ECR::Repository", "repository"),
    ("AWS::SecretsManager::Secret", "secret"),
    ("AWS::Logs::LogGroup", "log group"),
];

/// AWS's mark for a value that depends on a resource that does not exist yet.
const LATER: &str = "{{changeSet:KNOWN_AFTER_APPLY}}";

impl Changes {
    /// From the answer of DescribeChangeSet with property values.
    pub(crate) fn of(answer: &Element) -> Changes {
        Changes::of_pages(std::slice::from_ref(answer))
    }

    /// From all pages of the answer.
    pub(crate) fn of_pages(pages: &[Element]) -> Changes {
        let changes =
            pages.iter().flat_map(|page| page.list("Changes")).filter_map(|c| c.find("ResourceChange"));
        Changes(changes.map(change).collect())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn count(&self, kinds: &[Kind]) -> usize {
        self.0.iter().filter(|change| kinds.contains(&change.kind) && !change.follows()).count()
    }

    /// `1 created, 2 changed`
    pub(crate) fn summary(&self) -> String {
        // What only refers to a changing resource may stay as it is, so it is not counted.
        let counts = [
            (self.count(&[Kind::Create]), "created"),
            (self.count(&[Kind::Change, Kind::MayReplace]), "changed"),
            (self.count(&[Kind::Replace]), "replaced"),
            (self.count(&[Kind::Remove]), "removed"),
        ];
        let parts: Vec<String> =
            counts.iter().filter(|(n, _)| *n > 0).map(|(n, verb)| format!("{n} {verb}")).collect();
        if parts.is_empty() { "nothing changed".into() } else { parts.join(", ") }
    }

    /// One line for each resource, with the changed properties: at most `most` lines. Resources that only refer to changing ones
    /// share one line.
    pub(crate) fn lines(&self, most: usize) -> Vec<String> {
        let (follow, own): (Vec<&Change>, Vec<&Change>) = self.0.iter().partition(|change| change.follows());
        let width = own.iter().map(|change| change.logical.len()).max().unwrap_or(0).min(32);
        let mut lines: Vec<String> = own.iter().take(most).map(|change| change.line(width)).collect();
        if own.len() > most {
            lines.push(format!("  … and {} more", own.len() - most));
        }
        if !follow.is_empty() {
            let names: Vec<&str> = follow.iter().map(|change| change.logical.as_str()).collect();
            lines.push(format!("  ~ what refers to these: {}", names.join(", ")));
        }
        lines
    }

    /// The data that the changes delete or may delete, a line each.
    pub(crate) async fn losses(&self, client: &Client) -> Result<Vec<String>> {
        let mut losses = Vec::new();
        for change in &self.0 {
            let Some(what) = change.stateful() else { continue };
            let verb = match change.kind {
                Kind::Remove if change.policy != "Retain" => "is removed",
                Kind::Replace if change.policy != "ReplaceAndRetain" => "is replaced by an empty one",
                Kind::MayReplace if change.policy != "ReplaceAndRetain" => "may be replaced by an empty one",
                _ => continue,
            };
            let kept = if change.policy.ends_with("Snapshot") { "; a snapshot is kept" } else { "" };
            if what == "bucket" {
                if let Some(bucket) = in_bucket(client, &change.physical).await? {
                    losses.push(format!("{bucket} {verb}"));
                }
                continue;
            }
            losses.push(format!("the {what} {} {verb}{}{kept}", change.physical, change.because()));
        }
        Ok(losses)
    }

    /// The buckets that leave the stack and are deleted.
    pub(crate) fn deleted_buckets(&self) -> impl Iterator<Item = &str> {
        let goes = |change: &&Change| {
            change.type_name == "AWS::S3::Bucket"
                && matches!(change.kind, Kind::Remove | Kind::Replace | Kind::MayReplace)
                && change.policy.ends_with("Delete")
        };
        self.0.iter().filter(goes).map(|change| change.physical.as_str())
    }

    /// The resources with data that the changes would replace or remove.
    pub(crate) fn stateful(&self) -> impl Iterator<Item = String> {
        let goes = |change: &&Change| !matches!(change.kind, Kind::Create | Kind::Change);
        let line = |change: &Change| {
            let what = change.stateful()?;
            let verb = if change.kind == Kind::Remove { "removed" } else { "replaced" };
            Some(format!("the {what} {} would be {verb}{}", change.physical, change.because()))
        };
        self.0.iter().filter(goes).filter_map(line)
    }

    pub(crate) fn json(&self) -> Value {
        let one = |change: &Change| {
            let details: Vec<Value> = change
                .details
                .iter()
                .map(|d| json!({"property": d.name, "before": d.before, "after": d.after}))
                .collect();
            json!({
                "action": change.kind.word(), "logical_id": change.logical, "type": change.type_name,
                "physical_id": change.physical, "policy": change.policy, "details": details,
            })
        };
        self.0.iter().map(one).collect()
    }
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Kind::Create => "create",
            Kind::Change => "change",
            Kind::MayReplace => "may replace",
            Kind::Replace => "replace",
            Kind::Remove => "remove",
        }
    }

    fn sign(self) -> char {
        match self {
            Kind::Create => '+',
            Kind::Change | Kind::MayReplace => '~',
            Kind::Replace => '!',
            Kind::Remove => '-',
        }
    }
}

impl Change {
    /// The names of the properties that change.
    pub(crate) fn properties(&self) -> impl Iterator<Item = &str> {
        self.details.iter().map(|detail| detail.name.as_str())
    }

    fn stateful(&self) -> Option<&'static str> {
        STATEFUL.iter().find(|(name, _)| *name == self.type_name).map(|(_, word)| *word)
    }

    fn line(&self, width: usize) -> String {
        let details: Vec<String> =
            self.details.iter().map(|d| leaves::line(&d.name, &d.before, &d.after)).collect();
        let head = format!("  {} {:width$}", self.kind.sign(), self.logical);
        let verb = match self.kind {
            Kind::Replace => "replaced: ",
            Kind::MayReplace => "perhaps replaced: ",
            _ => "",
        };
        format!("{head}  {verb}{}", details.join("; ")).trim_end().to_owned()
    }

    /// Whether the resource changes only because others do.
    fn follows(&self) -> bool {
        matches!(self.kind, Kind::Change | Kind::MayReplace)
            && !self.details.is_empty()
            && self.details.iter().all(|detail| detail.is_open)
    }

    fn because(&self) -> String {
        let names: Vec<&str> =
            self.details.iter().filter(|d| d.causes_replacement).map(|d| d.name.as_str()).collect();
        if names.is_empty() { String::new() } else { format!(", because {} changes", names.join(" and ")) }
    }
}

fn change(element: &Element) -> Change {
    let kind = match (element.text_of("Action"), element.text_of("Replacement")) {
        ("Add", _) => Kind::Create,
        ("Remove", _) => Kind::Remove,
        (_, "True") => Kind::Replace,
        (_, "Conditional") => Kind::MayReplace,
        _ => Kind::Change,
    };
    let mut details: Vec<Detail> = Vec::new();
    for detail in element.list("Details") {
        let Some(target) = detail.find("Target") else { continue };
        let name = match target.text_of("Name") {
            "" => target.text_of("Attribute"),
            name => name,
        };
        // A property that changes for several reasons has several details.
        if details.iter().all(|d| d.name != name) {
            details.push(Detail {
                name: name.to_owned(),
                before: target.text_of("BeforeValue").to_owned(),
                after: target.text_of("AfterValue").to_owned(),
                causes_replacement: !matches!(target.text_of("RequiresRecreation"), "" | "Never"),
                is_open: detail.text_of("Evaluation") == "Dynamic",
            });
        }
    }
    Change {
        kind,
        logical: element.text_of("LogicalResourceId").to_owned(),
        type_name: element.text_of("ResourceType").to_owned(),
        physical: element.text_of("PhysicalResourceId").to_owned(),
        policy: element.text_of("PolicyAction").to_owned(),
        details,
    }
}
