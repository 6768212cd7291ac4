//! What IAM is asked before an operation runs.

use escale_base::wire::Value;

/// The actions and resources of one request. All of them must be allowed.
#[derive(Clone, Debug, Default)]
pub struct Needs {
    /// The action in place of the operation's own, where the input decides: `s3:GetObjectVersion` for a GetObject that
    /// names a version.
    pub action: Option<&'static str>,
    /// ARNs that IAM matches against a policy's `Resource`. None stands for those that the service finds in the input
    /// ([`crate::Service::resources`]), and for `*` where it finds none.
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
    /// None stands for `*`.
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

    /// The right to tag what a request creates: on those of its resources that have no id yet (`vpc/*`), or on all of them.
    pub fn tagging(action: &'static str, resources: &[String]) -> Also {
        let new: Vec<String> = resources.iter().filter(|arn| arn.ends_with('*')).cloned().collect();
        Also::new(action, if new.is_empty() { resources.to_vec() } else { new })
    }
}

/// Whether a member of an input gives tags, as a list or a map of them. Those that CloudFormation and other services give of
/// themselves (`aws:cloudformation:stack-name`) are no tags of the caller's.
pub fn gives_tags(input: &Value, pointer: &str) -> bool {
    let own = |key: &str| !key.starts_with("aws:");
    match input.pointer(pointer) {
        Some(Value::Array(tags)) => tags.iter().any(|tag| {
            let key = ["Key", "key"].into_iter().find_map(|name| tag.get(name)).and_then(Value::as_str);
            key.is_none_or(own)
        }),
        Some(Value::Object(tags)) => tags.keys().any(|key| own(key)),
        _ => false,
    }
}
