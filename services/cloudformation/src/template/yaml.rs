//! Parses YAML to the tree. Tags are CloudFormation's short forms. Aliases and merges are refused, and the last of repeated keys
//! counts, as on AWS.

use super::error::TemplateError;
use super::node::{Key, Kind, Node};
use escale_base::limits::template as limits;
use escale_tree::{Fault, Options, Problem};

pub(crate) fn parse(text: &str) -> Result<Node, TemplateError> {
    let options = Options { depth: limits::DEPTH, tags: true, anchors: true, repeated_keys: true };
    long_forms(escale_tree::yaml(text, options).map_err(|fault| refused(&fault))?)
}

/// AWS's words for a text that is not accepted.
fn refused(fault: &Fault) -> TemplateError {
    let at = fault.place;
    TemplateError::format(match &fault.problem {
        Problem::Empty => return TemplateError::format("the template is empty"),
        Problem::NotYaml(_) => format!("YAML not well-formed. ({at})"),
        Problem::SecondDocument => "only one YAML document is allowed".to_owned(),
        Problem::TooDeep => format!("nested deeper than {} levels ({at})", limits::DEPTH),
        Problem::Alias => "YAML aliases are not allowed in CloudFormation templates".to_owned(),
        Problem::Merge => "YAML merges (<<) are not allowed in CloudFormation templates".to_owned(),
        Problem::KeyIsNoScalar => format!("a key is not a string ({at})"),
        Problem::RepeatedKey(key) => format!("duplicate key '{key}' ({at})"),
        other @ (Problem::Anchor | Problem::Tag) => format!("{other} is not allowed ({at})"),
    })
    .at(at)
}

/// Replaces every tag by the function that it is short for.
fn long_forms(node: Node) -> Result<Node, TemplateError> {
    let Node { place, kind, tag } = node;
    let kind = match kind {
        Kind::Scalar(scalar) => Kind::Scalar(scalar),
        Kind::List(items) => Kind::List(items.into_iter().map(long_forms).collect::<Result<_, _>>()?),
        Kind::Map(entries) => {
            let entries = entries.into_iter().map(|(key, node)| Ok((key, long_forms(node)?)));
            Kind::Map(entries.collect::<Result<_, TemplateError>>()?)
        }
    };
    let mut node = Node { place, kind, tag: None };
    match tag {
        Some((handle, suffix)) => {
            // `!GetAZs` without a value is common in public templates. A tagged value is never null.
            if let Kind::Scalar(scalar) = &mut node.kind {
                scalar.plain &= !scalar.text.is_empty();
            }
            tagged(&handle, &suffix, node)
        }
        None => Ok(node),
    }
}

/// `!Sub x` is `Fn::Sub: x`; `!Ref` and `!Condition` have no prefix.
fn tagged(handle: &str, suffix: &str, mut node: Node) -> Result<Node, TemplateError> {
    let at = node.place;
    let function = match (handle, suffix) {
        ("!", name @ ("Ref" | "Condition")) => name.to_owned(),
        ("!", name) if FUNCTIONS.contains(&name) => format!("Fn::{name}"),
        ("tag:yaml.org,2002:", "str") => {
            let Kind::Scalar(scalar) = &mut node.kind else {
                return Err(TemplateError::format(format!("!!str is not on a scalar ({at})")).at(at));
            };
            scalar.plain = false;
            return Ok(node);
        }
        ("tag:yaml.org,2002:", "int" | "float" | "bool" | "seq" | "map") => return Ok(node),
        // AWS has no short form of the transform's functions.
        ("!", name @ ("Length" | "ToJsonString" | "ForEach")) => {
            let message =
                format!("the function Fn::{name} has no short form: write Fn::{name} instead of !{name}");
            return Err(TemplateError::format(message).at(at));
        }
        (handle, suffix) => {
            return Err(TemplateError::format(format!("unrecognized tag '{handle}{suffix}' ({at})")).at(at));
        }
    };
    Ok(Node::new(at, Kind::Map(vec![(Key { text: function, place: at }, node)])))
}

/// The functions with a short form. `expression::read` refuses those that are not enacted, by name.
const FUNCTIONS: &[&str] = &[
    "And",
    "Base64",
    "Cidr",
    "Contains",
    "EachMemberEquals",
    "EachMemberIn",
    "Equals",
    "FindInMap",
    "GetAZs",
    "GetAtt",
    "If",
    "ImportValue",
    "Join",
    "Not",
    "Or",
    "RefAll",
    "Select",
    "Split",
    "Sub",
    "Transform",
    "ValueOf",
    "ValueOfAll",
];
