//! Shapes: the constraints of values, and the places of members in requests and answers.

/// An index into [`crate::ServiceModel`]'s list of shapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ShapeId(pub(crate) usize);

#[derive(Debug)]
pub struct Shape {
    pub name: String,
    pub kind: Kind,
    /// The allowed values of a string; empty if every value is allowed.
    pub choices: Vec<String>,
    /// The minimum length (text, lists, maps) or value (numbers).
    pub min: Option<f64>,
    pub max: Option<f64>,
    /// The regular expression (Java's dialect) of a string.
    pub pattern: Option<String>,
    /// Must not reach a log.
    pub sensitive: bool,
    /// Set for error shapes.
    pub error: Option<ErrorTraits>,
}

#[derive(Debug)]
pub struct ErrorTraits {
    /// The code in the query and XML protocols; it often differs from the shape's name.
    pub code: String,
    pub status: u16,
    /// Whether the error is the server's fault.
    pub fault: bool,
}

#[derive(Debug)]
pub enum Kind {
    Structure(Structure),
    List {
        item: Box<Member>,
        flattened: bool,
    },
    Map {
        key: Box<Member>,
        value: Box<Member>,
        flattened: bool,
    },
    String,
    /// 32 bits, `long: true` for 64.
    Integer {
        long: bool,
    },
    Float,
    Boolean,
    Blob,
    Timestamp(Option<TimeFormat>),
    /// Any JSON.
    Document,
}

impl Kind {
    /// The name of the kind as AWS's JSON errors spell it.
    pub fn name(&self) -> &'static str {
        match self {
            Kind::Structure(_) => "Structure",
            Kind::List { .. } => "List",
            Kind::Map { .. } => "Map",
            Kind::String => "String",
            Kind::Integer { long: false } => "Integer",
            Kind::Integer { long: true } => "Long",
            Kind::Float => "Double",
            Kind::Boolean => "Boolean",
            Kind::Blob => "Blob",
            Kind::Timestamp(_) => "Timestamp",
            Kind::Document => "Document",
        }
    }
}

#[derive(Debug)]
pub struct Structure {
    pub members: Vec<Member>,
    /// The member that is the whole body, of REST protocols.
    pub payload: Option<usize>,
    pub event_stream: bool,
    /// Whether a value has exactly one of the members.
    pub union: bool,
    /// The namespace of its element, under any name: `xsi` for an S3 grantee.
    pub xml_namespace: Option<XmlNamespace>,
}

impl Structure {
    pub fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|m| m.name == name)
    }

    pub fn payload(&self) -> Option<&Member> {
        self.payload.map(|i| &self.members[i])
    }
}

/// A member of a structure, the item of a list, the key or value of a map.
#[derive(Clone, Debug)]
pub struct Member {
    pub name: String,
    pub shape: ShapeId,
    pub location: Location,
    pub flattened: bool,
    pub xml_attribute: bool,
    pub xml_namespace: Option<XmlNamespace>,
    pub required: bool,
    pub streaming: bool,
    pub idempotency_token: bool,
    pub(crate) location_name: Option<String>,
    pub(crate) query_name: Option<String>,
}

impl Member {
    /// The name on the wire: of a JSON key, an element, a header, a label.
    pub fn wire_name(&self) -> &str {
        self.location_name.as_deref().unwrap_or(&self.name)
    }

    /// The name on the wire, if the model gives one: items of lists and maps have other defaults than the member's name.
    pub fn location_name(&self) -> Option<&str> {
        self.location_name.as_deref()
    }

    /// A second name that EC2 uses in requests only.
    pub fn query_name(&self) -> Option<&str> {
        self.query_name.as_deref()
    }
}

/// The place of a member in a REST request or answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Location {
    Body,
    /// A label of the path.
    Uri,
    Query,
    Header,
    /// All headers with a prefix, as a map.
    Headers,
    Status,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XmlNamespace {
    pub prefix: Option<String>,
    pub uri: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeFormat {
    Iso8601,
    /// RFC 822's successor in HTTP: `Sun, 22 Nov 2026 09:39:00 GMT`.
    Rfc822,
    UnixTimestamp,
}

impl Shape {
    pub fn structure(&self) -> Option<&Structure> {
        match &self.kind {
            Kind::Structure(s) => Some(s),
            _ => None,
        }
    }
}
