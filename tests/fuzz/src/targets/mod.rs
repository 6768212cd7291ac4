//! The targets, each in a file of its own.

mod guard;
mod manifest;
mod packet;
mod path;
mod policy;
mod schema;
mod signature;
mod signed_url;
mod template;
mod wire;
mod xml;

/// A parser and its invariants.
pub struct Target {
    /// Also the name of its folder in `fuzz/corpus` and of its file in `fuzz/fuzz_targets`.
    pub name: &'static str,
    /// Panics if an invariant is violated.
    pub check: fn(&[u8]),
}

pub const TARGETS: &[Target] = &[
    Target { name: "guard", check: guard::check },
    Target { name: "manifest", check: manifest::check },
    Target { name: "packet", check: packet::check },
    Target { name: "path", check: path::check },
    Target { name: "policy", check: policy::check },
    Target { name: "schema", check: schema::check },
    Target { name: "signature", check: signature::check },
    Target { name: "signed_url", check: signed_url::check },
    Target { name: "template", check: template::check },
    Target { name: "wire", check: wire::check },
    Target { name: "xml", check: xml::check },
];
