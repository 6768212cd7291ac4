//! Converts a call to a CloudTrail event.
//!
//! Source: <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html>

use escale_base::{Arn, ids};
use escale_journal::Entry;
use escale_service::{
    AuditedCall, DecidingStatement, Denial, DenialReason, Entrance, EventKind, PolicyName, Principal,
};
use serde_json::{Map, Value, json};

/// The version of CloudTrail's record format that the members below follow.
const VERSION: &str = "1.11";

/// The maximum length of a text that the client chooses, in characters. It bounds the size of a record.
const TEXT_CHARS: usize = 256;

/// The type of a pseudo resource that every denied event has. AWS does not have it, but LookupEvents can filter by a resource's
/// type and not by the result of a call. The resource's name is the denied action.
pub(crate) const DENIAL: &str = "Escale::Denial";

pub(crate) fn entry(call: &AuditedCall, account: &str, region: &str) -> Entry {
    Entry { at: call.at, text: event(call, account, region).to_string() }
}

fn event(call: &AuditedCall, account: &str, region: &str) -> Value {
    let category = if call.kind == EventKind::Data { "Data" } else { "Management" };
    let mut event = json!({
        "eventVersion": VERSION,
        "userIdentity": identity(call, account),
        "eventTime": call.at.iso8601(),
        "eventSource": call.event_source,
        "eventName": call.operation,
        "awsRegion": region,
        "sourceIPAddress": call.arrival.map_or("AWS Internal".to_owned(), |a| a.peer.ip().to_string()),
        "userAgent": cut(&call.user_agent),
        // Always null: parameters and responses may contain secrets.
        "requestParameters": null,
        "responseElements": null,
        "requestID": call.request_id,
        "eventID": ids::random_uuid(),
        "readOnly": is_read_only(&call.operation),
        "resources": resources(call, account),
        "eventType": "AwsApiCall",
        "managementEvent": category == "Management",
        "recipientAccountId": account,
        "eventCategory": category,
    });
    if let Some(code) = &call.error_code {
        event["errorCode"] = code.as_str().into();
    }
    if let Some(message) = &call.denial_message {
        event["errorMessage"] = message.as_str().into();
    }
    let entrance = call.arrival.map_or("daemon", |arrival| match arrival.entrance {
        Entrance::HostLoopback => "host-loopback",
        Entrance::Cloud => "cloud",
    });
    event["additionalEventData"] = json!({ "entrance": entrance });
    if let Some(denial) = &call.notes.denial {
        event["additionalEventData"]["denial"] = explained(denial);
    }
    event
}

fn cut(text: &str) -> String {
    text.chars().take(TEXT_CHARS).collect()
}

fn identity(call: &AuditedCall, account: &str) -> Value {
    let kind = match &call.principal {
        Principal::Root => "Root",
        Principal::User { .. } => "IAMUser",
        Principal::Role { .. } => "AssumedRole",
        Principal::Service(_) | Principal::OnBehalf { .. } => "AWSService",
        Principal::Foreign { .. } | Principal::Anonymous => "AWSAccount",
    };
    let mut members = Map::from_iter([("type".to_owned(), Value::from(kind))]);
    let mut set = |name: &str, value: Value| members.insert(name.to_owned(), value);
    match &call.principal {
        Principal::Root => {
            set("principalId", account.into());
        }
        Principal::User { name } => {
            set("userName", name.as_str().into());
        }
        Principal::Role { name, session, role_id } => {
            set("principalId", format!("{role_id}:{session}").into());
            let issuer =
                json!({ "type": "Role", "principalId": role_id, "accountId": account, "userName": name });
            set("sessionContext", json!({ "sessionIssuer": issuer }));
        }
        Principal::Service(name) => {
            set("invokedBy", name.as_str().into());
        }
        Principal::OnBehalf { service, source_arn } => {
            set("invokedBy", service.as_str().into());
            set("sourceArn", source_arn.as_str().into());
        }
        // As on AWS, the account of CloudFront's identities has a name instead of a number.
        Principal::Foreign { arn, canonical_id } => {
            set("principalId", canonical_id.as_str().into());
            set("accountId", arn.split(':').nth(4).unwrap_or_default().into());
        }
        Principal::Anonymous => {
            set("principalId", "".into());
            set("accountId", "ANONYMOUS_PRINCIPAL".into());
        }
    }
    if matches!(call.principal, Principal::Root | Principal::User { .. } | Principal::Role { .. }) {
        set("arn", call.principal.arn(account).into());
        set("accountId", account.into());
    }
    if let Some(key) = &call.access_key {
        set("accessKeyId", key.as_str().into());
    }
    Value::Object(members)
}

/// The user name that LookupEvents returns and searches by.
pub(crate) fn user_name(event: &Value) -> Option<&str> {
    let identity = &event["userIdentity"];
    match identity["type"].as_str()? {
        "Root" => Some("root"),
        "IAMUser" => identity["userName"].as_str(),
        "AssumedRole" => identity["principalId"].as_str()?.split_once(':').map(|(_, session)| session),
        _ => identity["invokedBy"].as_str(),
    }
}

fn is_read_only(operation: &str) -> bool {
    const READING: [&str; 8] =
        ["Describe", "List", "Get", "BatchGet", "BatchCheck", "Head", "Lookup", "Filter"];
    // AssumeRole and its variants issue credentials, which AWS counts as reading.
    READING.iter().any(|verb| operation.starts_with(verb)) || operation.starts_with("AssumeRole")
}

fn resources(call: &AuditedCall, account: &str) -> Value {
    let named = call.notes.resources.iter().filter(|arn| *arn != "*");
    let mut all: Vec<Value> = named.map(|arn| json!({ "ARN": arn, "accountId": account })).collect();
    if call.is_denied() {
        let action = call.notes.denial.as_ref().and_then(|d| d.action.clone());
        let action = action.unwrap_or_else(|| {
            let prefix = call.event_source.split('.').next().unwrap_or_default();
            format!("{prefix}:{}", call.operation)
        });
        all.push(json!({ "type": DENIAL, "resourceName": action, "accountId": account }));
    }
    all.into()
}

fn explained(denial: &Denial) -> Value {
    let mut members = json!({ "reason": match &denial.reason {
        DenialReason::ExplicitDeny(_) => "explicit-deny",
        DenialReason::NoAllow => "no-allow",
        DenialReason::RootInsideCloud => "root-inside-cloud",
    }});
    for (name, value) in [("action", &denial.action), ("resource", &denial.resource)] {
        if let Some(value) = value {
            members[name] = cut(value).into();
        }
    }
    if let DenialReason::ExplicitDeny(Some(DecidingStatement { policy, index, sid })) = &denial.reason {
        members["statement"] = json!({ "index": index, "sid": sid });
        members["policy"] = match policy {
            PolicyName::Inline { name, bearer } => json!({ "type": "inline", "name": name, "of": bearer }),
            PolicyName::Managed(arn) => json!({ "type": "managed", "arn": arn }),
            PolicyName::Resource(arn) => json!({ "type": "resource", "of": cut(arn) }),
        };
    }
    members
}

/// Type and name of each resource for LookupEvents. The type is the ARN's service: the record does not have the CloudFormation
/// types that AWS returns.
pub(crate) fn names(event: &Value) -> Vec<(Option<String>, String)> {
    let each = event["resources"].as_array().into_iter().flatten();
    each.filter_map(|resource| match resource["ARN"].as_str() {
        Some(arn) => {
            let service = arn.parse::<Arn>().ok().map(|arn| arn.service);
            Some((service, arn.to_owned()))
        }
        None => Some((
            resource["type"].as_str().map(str::to_owned),
            resource["resourceName"].as_str()?.to_owned(),
        )),
    })
    .collect()
}
