//! An operation, and the list of them.

use crate::{Also, Cx, Needs, StreamHandler};
use escale_base::{
    AwsError, ErrorKind,
    wire::{self, Field, Value, Wire},
};

/// One AWS operation that checks, writes the wish in one transaction, and answers. It never waits for a plane.
pub trait Operation {
    type Input: Wire;
    type Output: Wire;
    type Error: Into<AwsError>;

    /// ARNs that IAM matches against a policy's `Resource`; an empty list means `*`.
    fn resources(_input: &Self::Input, _cx: &Cx<'_>) -> Vec<String> {
        Vec::new()
    }

    /// Condition keys that only this request has, in lower case.
    fn keys(_input: &Self::Input) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// Secondary actions of the request. Tagging at creation is not among them: the service adds it for all its operations
    /// ([`crate::Service::tagging`]).
    fn also(_input: &Self::Input, _cx: &Cx<'_>) -> Vec<Also> {
        Vec::new()
    }

    fn run(cx: &mut Cx<'_>, input: Self::Input) -> Result<Self::Output, Self::Error>;
}

/// An operation as the gate calls it: by name, without its types.
pub struct Entry {
    pub name: &'static str,
    /// The IAM action, if it is not the operation's name: `s3:ListBucket` for ListObjectsV2.
    pub action: Option<&'static str>,
    pub input: &'static [Field],
    pub output: &'static [Field],
    pub kind: Kind,
}

pub enum Kind {
    Sync(SyncHandler),
    Stream(std::sync::Arc<dyn StreamHandler>),
}

/// The two parts of a synchronous operation: its permissions, and its work.
#[derive(Clone, Copy)]
pub struct SyncHandler {
    pub needs: fn(&Value, &Cx<'_>) -> Result<Needs, AwsError>,
    pub run: fn(&mut Cx<'_>, &Value) -> Result<Value, AwsError>,
}

impl Entry {
    pub fn of<O: Operation>(name: &'static str) -> Entry {
        Entry {
            name,
            action: None,
            input: O::Input::FIELDS,
            output: O::Output::FIELDS,
            kind: Kind::Sync(SyncHandler { needs: needs::<O>, run: run::<O> }),
        }
    }

    /// Whether the name promises that nothing is written. An operation that writes nevertheless is run again as a writer.
    pub(crate) fn only_reads(&self) -> bool {
        ["Describe", "List", "Get", "BatchGet", "Validate"].iter().any(|verb| self.name.starts_with(verb))
    }

    pub fn action(mut self, action: &'static str) -> Entry {
        self.action = Some(action);
        self
    }
}

fn needs<O: Operation>(input: &Value, cx: &Cx<'_>) -> Result<Needs, AwsError> {
    Ok(typed_needs::<O>(&read::<O::Input>(input)?, cx))
}

/// The permissions that a request needs.
pub(crate) fn typed_needs<O: Operation>(input: &O::Input, cx: &Cx<'_>) -> Needs {
    let (resources, keys) = (O::resources(input, cx), O::keys(input));
    Needs { action: None, resources, keys, also: O::also(input, cx) }
}

fn run<O: Operation>(cx: &mut Cx<'_>, input: &Value) -> Result<Value, AwsError> {
    let output = O::run(cx, read::<O::Input>(input)?).map_err(Into::into)?;
    Ok(output.write())
}

/// Reads the typed input. A member that the operation does not have is an error that names it, never ignored.
pub(crate) fn read<I: Wire>(input: &Value) -> Result<I, AwsError> {
    if let Some(member) = wire::unread::<I>(input).first() {
        return Err(AwsError::not_supported(format_args!("The parameter {member}")));
    }
    I::read(input).map_err(|e| AwsError::new(ErrorKind::Invalid, "ValidationException", 400, e.to_string()))
}

/// The list of a service's operations: the service's id, then one line each, `Name => module,` in the folder `ops/`.
///
/// Each module has a type of the operation's name that implements [`Operation`].
#[macro_export]
macro_rules! operations {
    ($service:literal; $($name:ident => $module:ident $(as $action:literal)?),* $(,)?) => {
        $(pub(crate) mod $module;)*
        $(impl $crate::Named for $module::$name {
            const SERVICE: &'static str = $service;
            const NAME: &'static str = stringify!($name);
        })*
        pub(crate) fn all() -> Vec<$crate::Entry> {
            vec![$($crate::Entry::of::<$module::$name>(stringify!($name))$(.action($action))?),*]
        }
    };
}
