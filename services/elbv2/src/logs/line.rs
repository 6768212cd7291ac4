//! One line of an access log.
//!
//! Source: <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html#access-log-entry-syntax>

use escale_proxy::{Act, Protocol, Visit};
use std::fmt::Write;

/// The fields, separated by spaces. `name` is the load balancer's, with its id.
pub(super) fn line(visit: &Visit, name: &str) -> String {
    let kind = match visit.protocol {
        Protocol::Http => "http",
        Protocol::Https => "https",
        Protocol::Http2 => "h2",
        Protocol::Grpc => "grpcs",
        Protocol::WebSocket => "ws",
        Protocol::SecureWebSocket => "wss",
    };
    let action = visit.action.map(|act| match act {
        Act::Forward => "forward",
        Act::Redirect => "redirect",
        Act::Fixed => "fixed-response",
    });
    let (protocol, suite) = visit.tls.clone().unzip();
    let [request, target, response] = seconds(visit.took_us);
    let address = visit.target.as_ref().map(|(_, address)| address.to_string());
    let status = visit.target_status.map(|status| status.to_string());
    let fields = [
        kind.to_owned(),
        micros(&visit.ended.iso8601()),
        name.to_owned(),
        visit.client.to_string(),
        bare(address.as_deref()),
        request,
        target,
        response,
        visit.status.to_string(),
        bare(status.as_deref()),
        visit.received_bytes.to_string(),
        visit.sent_bytes.to_string(),
        quoted(Some(&format!("{} {} {}", visit.method, visit.url, visit.version))),
        quoted(visit.user_agent.as_deref()),
        bare(suite.as_deref()),
        bare(protocol.as_deref()),
        bare(visit.target.as_ref().map(|(group, _)| group.as_str())),
        quoted(visit.trace.as_deref()),
        // The name and the certificate that the handshake chose are not kept.
        quoted(None),
        quoted(None),
        bare(visit.rule.map(|rule| rule.to_string()).as_deref()),
        micros(&visit.arrived.iso8601()),
        quoted(action),
        quoted(visit.location.as_deref()),
        quoted(None),
        quoted(address.as_deref()),
        quoted(status.as_deref()),
        quoted(None),
        quoted(None),
        format!("TID_{:016x}", visit.connection),
    ];
    format!("{}\n", fields.join(" "))
}

/// -1 for a request that no target answered.
fn seconds(took_us: Option<[u64; 3]>) -> [String; 3] {
    let seconds = |us: u64| format!("{}.{:03}", us / 1_000_000, us % 1_000_000 / 1000);
    took_us.map_or(["-1", "-1", "-1"].map(str::to_owned), |all| all.map(seconds))
}

/// `2030-01-31T12:30:59.123Z` with six digits behind the point.
fn micros(at: &str) -> String {
    let (seconds, fraction) =
        at.trim_end_matches('Z').split_once('.').unwrap_or((at.trim_end_matches('Z'), ""));
    format!("{seconds}.{fraction:0<6}Z")
}

fn bare(text: Option<&str>) -> String {
    text.filter(|text| !text.is_empty()).unwrap_or("-").to_owned()
}

/// What a client has sent cannot end the field or the line.
fn quoted(text: Option<&str>) -> String {
    let mut quoted = String::from("\"");
    for c in text.unwrap_or("-").chars() {
        match c {
            '"' => quoted.push_str("%22"),
            '\\' => quoted.push_str("%5C"),
            ' '..='~' => quoted.push(c),
            other => other.to_string().bytes().for_each(|byte| {
                let _ = write!(quoted, "%{byte:02X}");
            }),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use escale_base::Timestamp;

    fn visit() -> Visit {
        Visit {
            balancer: "a".into(),
            node: "n".into(),
            protocol: Protocol::Http,
            arrived: Timestamp::parse_iso8601("2030-01-31T12:30:58.5Z").unwrap(),
            ended: Timestamp::parse_iso8601("2030-01-31T12:30:59Z").unwrap(),
            client: ([192, 0, 2, 1], 4000).into(),
            connection: 1,
            tls: None,
            method: "GET".into(),
            url: "http://www.example.com:80/a?b=c".into(),
            version: "HTTP/1.1".into(),
            user_agent: Some("a \"b\"\n".into()),
            trace: Some("Root=1-2-3".into()),
            rule: Some(0),
            action: Some(Act::Forward),
            location: None,
            target: Some(("arn:group".into(), ([10, 0, 0, 1], 80).into())),
            target_status: Some(200),
            status: 200,
            took_us: Some([0, 1_001_999, 37]),
            received_bytes: 34,
            sent_bytes: 366,
        }
    }

    #[test]
    fn line_has_the_fields_of_aws_in_order() {
        assert_eq!(
            line(&visit(), "app/web/50dc"),
            "http 2030-01-31T12:30:59.000000Z app/web/50dc 192.0.2.1:4000 10.0.0.1:80 0.000 1.001 0.000 200 200 34 366 \
             \"GET http://www.example.com:80/a?b=c HTTP/1.1\" \"a %22b%22%0A\" - - arn:group \"Root=1-2-3\" \"-\" \"-\" 0 \
             2030-01-31T12:30:58.500000Z \"forward\" \"-\" \"-\" \"10.0.0.1:80\" \"200\" \"-\" \"-\" TID_0000000000000001\n"
        );
    }

    #[test]
    fn request_without_a_target_has_dashes() {
        let refused = Visit {
            rule: None,
            action: None,
            target: None,
            target_status: None,
            took_us: None,
            trace: None,
            status: 400,
            ..visit()
        };
        let text = line(&refused, "app/web/50dc");
        assert!(text.contains(" 192.0.2.1:4000 - -1 -1 -1 400 - 34 366 "), "{text}");
        assert!(text.contains(" - \"-\" \"-\" \"-\" - 2030"), "{text}");
    }
}
