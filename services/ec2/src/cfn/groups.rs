//! SecurityGroup with its inline rules, SecurityGroupIngress, SecurityGroupEgress.

use super::{Input, at_once, text};
use escale_base::{AwsError, ErrorKind, already_gone, wire::Value};
use escale_service::{Created, Cx, Props, ResourceType};
use escale_tables::ec2::{Group, GroupRule};
use serde_json::{Map, json};

pub(super) const TYPES: &[ResourceType] = &[
    ResourceType {
        name: "AWS::EC2::SecurityGroup",
        properties: &[
            "GroupDescription",
            "GroupName",
            "SecurityGroupEgress",
            "SecurityGroupIngress",
            "Tags",
            "VpcId",
        ],
        create: group,
        ready: at_once,
        delete: |cx, c| {
            let input = Input::new().with("GroupId", c.physical_id.as_str());
            already_gone(input.call(cx, "DeleteSecurityGroup"))
        },
        gone: at_once,
    },
    ResourceType {
        name: "AWS::EC2::SecurityGroupIngress",
        properties: &[
            "CidrIp",
            "Description",
            "FromPort",
            "GroupId",
            "IpProtocol",
            "SourcePrefixListId",
            "SourceSecurityGroupId",
            "SourceSecurityGroupName",
            "SourceSecurityGroupOwnerId",
            "ToPort",
        ],
        create: |cx, props| own_rule(cx, props, Way::In),
        ready: at_once,
        delete: |cx, c| revoke(cx, c, Way::In),
        gone: at_once,
    },
    ResourceType {
        name: "AWS::EC2::SecurityGroupEgress",
        properties: &[
            "CidrIp",
            "Description",
            "DestinationPrefixListId",
            "DestinationSecurityGroupId",
            "FromPort",
            "GroupId",
            "IpProtocol",
            "ToPort",
        ],
        create: |cx, props| own_rule(cx, props, Way::Out),
        ready: at_once,
        delete: |cx, c| revoke(cx, c, Way::Out),
        gone: at_once,
    },
];

#[derive(Clone, Copy, PartialEq)]
enum Way {
    In,
    Out,
}

impl Way {
    fn word(self) -> &'static str {
        if self == Way::In { "Ingress" } else { "Egress" }
    }
}

fn group(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let input = Input::new()
        .with("GroupName", props.name_or_generated("GroupName", 255))
        .with("Description", props.required("GroupDescription")?.clone())
        .texts(props, &["VpcId"])
        .tags(props, "security-group");
    let id = text(&input.call(cx, "CreateSecurityGroup")?, "/GroupId");
    for rule in inline(props, "SecurityGroupIngress") {
        inline_rule(cx, &id, Way::In, rule)?;
    }
    // Rules of its own take the place of the one that lets everything out.
    let egress = inline(props, "SecurityGroupEgress");
    if !egress.is_empty() {
        let all = json!([{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]);
        let input = Input::new().with("GroupId", id.as_str()).with("IpPermissions", all);
        input.call(cx, "RevokeSecurityGroupEgress")?;
    }
    for rule in egress {
        inline_rule(cx, &id, Way::Out, rule)?;
    }
    let vpc = cx.tx.get::<Group>(&id).map(|g| g.vpc.to_string()).unwrap_or_default();
    Ok(Created::new(id.as_str()).with("GroupId", id.as_str()).with("Id", id.as_str()).with("VpcId", vpc))
}

/// A rule that is in the list twice, in whichever spelling, is there once, as on AWS.
fn inline_rule(cx: &mut Cx<'_>, id: &str, way: Way, rule: &Map<String, Value>) -> Result<(), AwsError> {
    match authorize(cx, id, way, rule) {
        Err(error) if error.kind == ErrorKind::AlreadyExists => Ok(()),
        other => other.map(drop),
    }
}

fn inline<'a>(props: &Props<'a>, name: &str) -> Vec<&'a Map<String, Value>> {
    let list = props.values.get(name).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_object).collect()
}

fn own_rule(cx: &mut Cx<'_>, props: &Props<'_>, way: Way) -> Result<Created, AwsError> {
    let group = props.text("GroupId")?.to_owned();
    let id = authorize(cx, &group, way, props.values)?;
    Ok(Created::new(id.as_str()).with("Id", id))
}

/// Adds one rule and gives its id.
fn authorize(cx: &mut Cx<'_>, group: &str, way: Way, rule: &Map<String, Value>) -> Result<String, AwsError> {
    let permission = permission(rule, way)?;
    let input = Input::new().with("GroupId", group).with("IpPermissions", json!([permission]));
    let made = input.call(cx, &format!("AuthorizeSecurityGroup{}", way.word()))?;
    Ok(text(&made, "/SecurityGroupRules/0/SecurityGroupRuleId"))
}

/// A rule as templates write it, as a permission of one peer.
fn permission(rule: &Map<String, Value>, way: Way) -> Result<Value, AwsError> {
    let mut permission = json!({});
    let (mut peer, mut description) = (None, None);
    for (name, value) in rule {
        let (member, key) = match (name.as_str(), way) {
            ("IpProtocol", _) => {
                // Templates write -1 as a number, too.
                let protocol = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                permission["IpProtocol"] = protocol.into();
                continue;
            }
            ("FromPort" | "ToPort", _) => {
                permission[name.as_str()] = number(name, value)?;
                continue;
            }
            ("Description", _) => {
                description = Some(value.clone());
                continue;
            }
            ("GroupId", _) => continue,
            // The account is the only one there is.
            ("SourceSecurityGroupOwnerId", Way::In) => continue,
            ("CidrIp", _) => ("IpRanges", "CidrIp"),
            ("CidrIpv6", _) => ("Ipv6Ranges", "CidrIpv6"),
            ("SourceSecurityGroupId", Way::In) | ("DestinationSecurityGroupId", Way::Out) => {
                ("UserIdGroupPairs", "GroupId")
            }
            ("SourceSecurityGroupName", Way::In) => ("UserIdGroupPairs", "GroupName"),
            ("SourcePrefixListId", Way::In) | ("DestinationPrefixListId", Way::Out) => {
                ("PrefixListIds", "PrefixListId")
            }
            _ => return Err(AwsError::not_supported(format_args!("The member {name} of a rule"))),
        };
        if peer.replace((member, json!({key: value}))).is_some() {
            let why = format!("A rule has one peer; {name} is a second one");
            return Err(AwsError::new(ErrorKind::Invalid, "ValidationError", 400, why));
        }
    }
    if let Some((member, mut peer)) = peer {
        if let Some(description) = description {
            peer["Description"] = description;
        }
        permission[member] = json!([peer]);
    }
    Ok(permission)
}

/// CloudFormation takes `"80"` for `80`.
fn number(name: &str, value: &Value) -> Result<Value, AwsError> {
    let number = value.as_i64().or_else(|| value.as_str()?.parse().ok());
    let wrong = || {
        AwsError::new(ErrorKind::Invalid, "ValidationError", 400, format!("{name}: {value} is not a number"))
    };
    number.map(Value::from).ok_or_else(wrong)
}

fn revoke(cx: &mut Cx<'_>, created: &Created, way: Way) -> Result<(), AwsError> {
    let rule = cx.tx.scan::<GroupRule>().find(|r| r.id == *created.physical_id.as_str());
    let Some(rule) = rule else { return Ok(()) };
    let input = Input::new()
        .with("GroupId", rule.group.as_str())
        .with("SecurityGroupRuleIds", json!([created.physical_id]));
    already_gone(input.call(cx, &format!("RevokeSecurityGroup{}", way.word())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_of_templates_become_permissions() {
        let rule = json!({"IpProtocol": -1, "CidrIp": "10.0.0.0/8", "Description": "all"});
        let want = json!({"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "all"}]});
        assert_eq!(permission(rule.as_object().unwrap(), Way::In).unwrap(), want);
        let rule = json!({"GroupId": "sg-1", "IpProtocol": "tcp", "FromPort": "80", "ToPort": 81,
            "DestinationSecurityGroupId": "sg-2"});
        let want = json!({"IpProtocol": "tcp", "FromPort": 80, "ToPort": 81,
            "UserIdGroupPairs": [{"GroupId": "sg-2"}]});
        assert_eq!(permission(rule.as_object().unwrap(), Way::Out).unwrap(), want);
        let wrong = permission(rule.as_object().unwrap(), Way::In).unwrap_err();
        assert_eq!(wrong.code, "NotImplemented");
    }
}
