//! AWS's API models as data: shapes, operations, constraints, error codes and their form on the wire.
//!
//! The models are botocore's, trimmed to the operations that Escale answers (`models/*.json`, made by
//! `cargo xtask models`); each is parsed at its first use. This crate reads no request and encodes no protocol:
//! `escale-wire` interprets the models. Start at [`service`] and [`ServiceModel`].

mod endpoints;
mod load;
mod outside;
mod route;
mod services;
mod shape;

pub use endpoints::{EndpointName, endpoint_names};
pub use outside::{Form, Other, OtherService, other_services};
pub use route::{Labels, RouteQuery, Routed};
pub use services::{Service, listed, service, services};
pub use shape::{ErrorTraits, Kind, Location, Member, Shape, ShapeId, Structure, TimeFormat, XmlNamespace};

use serde_json::Value;
use std::{
    collections::{BTreeMap, HashMap},
    io::Read,
};

/// The text of a file of `models/`, which the build script has compressed.
pub fn unpack(embedded: &[u8]) -> String {
    let mut text = String::new();
    match flate2::read::ZlibDecoder::new(embedded).read_to_string(&mut text) {
        Ok(_) => text,
        // The file is part of the program, and tests read every one of them.
        Err(error) => panic!("an embedded model cannot be read: {error}"),
    }
}

/// The encoding of requests and answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// AWS JSON 1.0 and 1.1; [`ServiceModel::json_version`] says which.
    Json,
    Query,
    Ec2,
    RestXml,
    /// Smithy RPC v2 CBOR.
    Cbor,
}

/// One service's API.
#[derive(Debug)]
pub struct ServiceModel {
    /// The name of its file in `models/`: `ec2`, `elbv2`, …
    pub id: &'static str,
    /// Current clients use the first one; the others are accepted as well.
    pub protocols: Vec<Protocol>,
    pub api_version: String,
    /// The part of `X-Amz-Target` before its last dot; empty for services without JSON.
    pub target_prefix: String,
    pub json_version: String,
    /// The namespace of XML answers; empty for services without XML.
    pub xml_namespace: String,
    /// The service's name in the credential scope.
    pub signing_name: String,
    /// Whether errors also carry their former query code, in `x-amzn-query-error`.
    pub query_compatible: bool,
    pub operations: BTreeMap<String, Operation>,
    /// The service's operations that the model leaves out, by name only.
    pub others: Vec<Other>,
    shapes: Vec<Shape>,
    /// Error shapes by shape name and by wire code.
    errors: HashMap<String, ShapeId>,
}

/// One operation of a service.
#[derive(Debug)]
pub struct Operation {
    pub name: String,
    pub method: String,
    pub path: Vec<Segment>,
    /// Query keys that every request has (`?uploads`), with the value if it is fixed.
    pub query: Vec<(String, Option<String>)>,
    /// The HTTP status of success.
    pub status: u16,
    pub input: Option<ShapeId>,
    /// The root element of an XML request that has no payload member.
    pub input_root: Option<String>,
    pub output: Option<ShapeId>,
    /// The element between root and members in a query answer: `DescribeAlarmsResult`.
    pub result_wrapper: Option<String>,
    /// Names of the modelled error shapes. EC2's model has none.
    pub errors: Vec<String>,
    /// Put before the endpoint's host by clients: `data-`, `{AccountId}.`
    pub host_prefix: Option<String>,
    /// May be called without a signature (`AssumeRoleWithWebIdentity`).
    pub anonymous: bool,
    /// Whether `x-amz-checksum-*` headers of the request are checksums of its body. Those of CompleteMultipartUpload, for
    /// example, are checksums of the assembled object.
    pub checksum_of_body: bool,
    /// Whether the request must have a checksum of its body.
    pub checksum_required: bool,
    streams_in: Option<String>,
    streams_out: Option<String>,
    event_stream_out: bool,
}

/// A piece of a REST path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    Literal(String),
    Label(String),
    /// Takes everything to the end, slashes included: an S3 key.
    Greedy(String),
}

impl Operation {
    /// The input member that is the request's body as a stream: it is never in the value tree.
    pub fn streams_in(&self) -> Option<&str> {
        self.streams_in.as_deref()
    }

    /// The output member that is the answer's body as a stream: it is never in the value tree.
    pub fn streams_out(&self) -> Option<&str> {
        self.streams_out.as_deref()
    }

    /// Whether the answer is a stream of events (`StartLiveTail`) rather than of bytes.
    pub fn event_stream_out(&self) -> bool {
        self.event_stream_out
    }
}

impl ServiceModel {
    /// Reads a trimmed model. The error names the faulty part.
    pub fn parse(id: &'static str, text: &str) -> Result<ServiceModel, String> {
        let tree: Value = serde_json::from_str(text).map_err(|e| format!("models/{id}.json: {e}"))?;
        load::model(id, &tree).map_err(|e| format!("models/{id}.json: {e}"))
    }

    pub fn operation(&self, name: &str) -> Option<&Operation> {
        self.operations.get(name)
    }

    /// Whether AWS's service has an operation of this name that the model leaves out.
    pub fn leaves_out(&self, name: &str) -> bool {
        self.others.iter().any(|other| other.name == name)
    }

    pub fn shape(&self, id: ShapeId) -> &Shape {
        &self.shapes[id.0]
    }

    /// The members of a structure; none for every other shape.
    pub fn members(&self, id: ShapeId) -> &[Member] {
        self.shape(id).structure().map_or(&[], |s| &s.members)
    }

    /// The error shape with this shape name or wire code.
    pub fn error(&self, name_or_code: &str) -> Option<&Shape> {
        self.errors.get(name_or_code).map(|id| self.shape(*id))
    }

    pub fn speaks(&self, protocol: Protocol) -> bool {
        self.protocols.contains(&protocol)
    }
}
