//! The lines of flow logs.
//!
//! Source: <https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html>

use crate::{Error, rules};
use escale_base::Timestamp;
use escale_network::FlowCount;
use escale_tables::ec2::Interface;
use std::fmt::Display;

/// AWS's default format.
pub(crate) const DEFAULT: &str = "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} ${packets} ${bytes} ${start} ${end} ${action} ${log-status}";

/// The supported fields, and the version that each came with.
const FIELDS: &[(&str, u8)] = &[
    ("version", 2),
    ("account-id", 2),
    ("interface-id", 2),
    ("srcaddr", 2),
    ("dstaddr", 2),
    ("srcport", 2),
    ("dstport", 2),
    ("protocol", 2),
    ("packets", 2),
    ("bytes", 2),
    ("start", 2),
    ("end", 2),
    ("action", 2),
    ("log-status", 2),
    ("vpc-id", 3),
    ("subnet-id", 3),
    ("instance-id", 3),
    ("type", 3),
    ("pkt-srcaddr", 3),
    ("pkt-dstaddr", 3),
    ("region", 4),
    ("flow-direction", 5),
];

/// Checks the format of a request.
pub(crate) fn check(format: &str) -> Result<(), Error> {
    let mut fields = format.split_whitespace().peekable();
    if fields.peek().is_none() {
        return Err(Error::invalid("logFormat", format, "It has no field."));
    }
    for word in fields {
        let Some(name) = name(word) else {
            return Err(Error::invalid(
                "logFormat",
                format,
                "Each field has the form ${field}, with a space between two.",
            ));
        };
        if FIELDS.iter().all(|(known, _)| *known != name) {
            let supported: Vec<&str> = FIELDS.iter().map(|(name, _)| *name).collect();
            return Err(rules::refuse_with_hint(
                format_args!("The field {word} of a flow log's format"),
                format_args!("Use {}.", supported.join(", ")),
            ));
        }
    }
    Ok(())
}

/// `srcaddr` of `${srcaddr}`.
fn name(word: &str) -> Option<&str> {
    word.strip_prefix("${")?.strip_suffix('}')
}

/// What the lines of one interface have in common.
#[derive(Clone, Copy)]
pub(super) struct Window<'a> {
    pub(super) format: &'a str,
    pub(super) account: &'a str,
    pub(super) region: &'a str,
    pub(super) interface: &'a Interface,
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
}

pub(super) enum Content<'a> {
    Flow(&'a FlowCount),
    /// The interface had no traffic.
    NoData,
    /// Some flows were not counted.
    SkipData,
}

pub(super) fn line(window: &Window<'_>, content: &Content<'_>) -> String {
    let values = window.format.split_whitespace().filter_map(name).map(|name| value(name, window, content));
    values.collect::<Vec<_>>().join(" ")
}

/// The names of a format's fields: the first line of a file.
pub(super) fn fields(format: &str) -> String {
    format.split_whitespace().filter_map(name).collect::<Vec<_>>().join(" ")
}

fn version(format: &str) -> u8 {
    let used =
        FIELDS.iter().filter(|(field, _)| format.split_whitespace().filter_map(name).any(|f| f == *field));
    used.map(|(_, version)| *version).max().unwrap_or(2)
}

fn value(field: &str, window: &Window<'_>, content: &Content<'_>) -> String {
    let text = |value: &dyn Display| value.to_string();
    let interface = window.interface;
    match field {
        "version" => return text(&version(window.format)),
        "account-id" => return window.account.to_owned(),
        "interface-id" => return text(&interface.id),
        "vpc-id" => return text(&interface.vpc),
        "subnet-id" => return text(&interface.subnet),
        "region" => return window.region.to_owned(),
        "start" => return text(&window.start.secs()),
        "end" => return text(&window.end.secs()),
        "log-status" => {
            return match content {
                Content::Flow(_) => "OK".into(),
                Content::NoData => "NODATA".into(),
                Content::SkipData => "SKIPDATA".into(),
            };
        }
        _ => {}
    }
    // The other fields describe a flow. No interface belongs to an instance.
    let Content::Flow(flow) = content else { return "-".into() };
    match field {
        // The interface's end of a flow is the interface, also where it forwards.
        "srcaddr" if flow.outbound => text(&interface.private_ip),
        "srcaddr" | "pkt-srcaddr" => text(&flow.source),
        "dstaddr" if !flow.outbound => text(&interface.private_ip),
        "dstaddr" | "pkt-dstaddr" => text(&flow.destination),
        "srcport" => text(&flow.source_port),
        "dstport" => text(&flow.destination_port),
        "protocol" => text(&flow.protocol),
        "packets" => text(&flow.packets),
        "bytes" => text(&flow.bytes),
        "action" => if flow.accepted { "ACCEPT" } else { "REJECT" }.into(),
        "type" => "IPv4".into(),
        "flow-direction" => if flow.outbound { "egress" } else { "ingress" }.into(),
        _ => "-".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use escale_tables::ec2::InterfaceType;

    fn interface() -> Interface {
        Interface {
            id: "eni-1".into(),
            vpc: "vpc-1".into(),
            subnet: "subnet-1".into(),
            zone: "eu-west-3a".into(),
            private_ip: "10.0.0.5".parse().unwrap(),
            auto_public_ip: None,
            groups: vec![],
            source_dest_check: true,
            description: String::new(),
            interface_type: InterfaceType::NatGateway,
            requester: None,
            tags: vec![],
            created: Timestamp(0),
        }
    }

    fn lines(format: &str) -> [String; 3] {
        let interface = interface();
        let (start, end) = (Timestamp(1_000_900), Timestamp(1_060_000));
        let window = Window {
            format,
            account: "123456789012",
            region: "eu-west-3",
            interface: &interface,
            start,
            end,
        };
        let flow = FlowCount {
            interface: "eni-1".into(),
            outbound: false,
            accepted: false,
            source: "10.0.1.9".parse().unwrap(),
            destination: "198.18.0.9".parse().unwrap(),
            protocol: 6,
            source_port: 40000,
            destination_port: 443,
            packets: 3,
            bytes: 180,
        };
        [Content::Flow(&flow), Content::NoData, Content::SkipData].map(|content| line(&window, &content))
    }

    #[test]
    fn lines_of_both_formats() {
        assert_eq!(
            lines(DEFAULT),
            [
                "2 123456789012 eni-1 10.0.1.9 10.0.0.5 40000 443 6 3 180 1000 1060 REJECT OK",
                "2 123456789012 eni-1 - - - - - - - 1000 1060 - NODATA",
                "2 123456789012 eni-1 - - - - - - - 1000 1060 - SKIPDATA",
            ]
        );
        assert_eq!(fields("${version} ${vpc-id}"), "version vpc-id");
        let [flow, none, _] =
            lines("${version} ${vpc-id} ${instance-id} ${pkt-dstaddr} ${flow-direction} ${type}");
        assert_eq!((flow.as_str(), none.as_str()), ("5 vpc-1 - 198.18.0.9 ingress IPv4", "5 vpc-1 - - - -"));
    }

    #[test]
    fn refuses_other_fields_by_name() {
        assert!(check(DEFAULT).is_ok());
        for (format, words) in [("", "no field"), ("srcaddr", "${field}"), ("${tcp-flags}", "${tcp-flags}")] {
            let error = check(format).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
