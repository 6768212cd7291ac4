//! The permissions that an operation needs before it runs.

use escale_base::wire::Value;

/// The actions and resources of one request. All of them must be allowed.
#[derive(Clone, Debug, Default)]
pub struct Needs {
    /// The action instead of the operation's own, if the input decides: `s3:GetObjectVersion` for a GetObject that
    /// names a version.
    pub action: Option<&'static str>,
    /// ARNs that IAM matches against a policy's `Resource`. If empty, the service finds them in the input
    /// ([`crate::Service::resources`]); if it finds none, the resource is `*`.
    pub resources: Vec<String>,
    /// Condition keys that only this request has, in lower case.
    pub keys: Vec<(&'static str, String)>,
    pub also: Vec<Also>,
}

/// An action that a request needs besides its operation's own. AWS lists them as "dependent actions":
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>
#[derive(Clone, Debug, Default)]
pub struct Also {
    pub action: &'static str,
    /// An empty list means `*`.
    pub resources: Vec<String>,
    /// Condition keys that only this action has, in lower case: `ec2:createaction`.
    pub keys: Vec<(&'static str, String)>,
}

impl Needs {
    pub fn on(resources: impl IntoIterator<Item = String>) -> Needs {
        Needs { resources: resources.into_iter().collect(), ..Needs::default() }
    }
}

impl Also {
    pub fn new(action: &'static str, resources: impl IntoIterator<Item = String>) -> Also {
        Also { action, resources: resources.into_iter().collect(), keys: Vec::new() }
    }

    pub fn with(mut self, key: &'static str, value: impl Into<String>) -> Also {
        self.keys.push((key, value.into()));
        self
    }

    /// Permission to tag what a request creates: those of its resources that have no id yet (`vpc/*`), or all of them.
    pub fn tagging(action: &'static str, resources: &[String]) -> Also {
        let new: Vec<String> = resources.iter().filter(|arn| arn.ends_with('*')).cloned().collect();
        Also::new(action, if new.is_empty() { resources.to_vec() } else { new })
    }
}

/// Whether a member of an input has tags of the caller, as a list or a map. Tags that CloudFormation and other services add
/// (`aws:cloudformation:stack-name`) do not count.
pub fn gives_tags(input: &Value, pointer: &str) -> bool {
    let own = |key: &str| !key.starts_with("aws:");
    match input.pointer(pointer) {
        Some(Value::Array(tags)) => tags.iter().any(|tag| {
            let key = ["Key", "key"].into_iter().find_map(|name| tag.get(name)).and_then(Value::as_str);
            // A tag without a key is malformed; it counts, so that the check is never skipped because of it.
            key.is_none_or(own)
        }),
        Some(Value::Object(tags)) => tags.keys().any(|key| own(key)),
        _ => false,
    }
}
