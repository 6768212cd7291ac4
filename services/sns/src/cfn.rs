//! CloudFormation: topics, subscriptions and policies of topics.

use crate::ops::{
    create_topic::CreateTopic, delete_topic::DeleteTopic,
    get_subscription_attributes::GetSubscriptionAttributes, get_topic_attributes::GetTopicAttributes,
    list_tags_for_resource::ListTagsForResource, set_subscription_attributes::SetSubscriptionAttributes,
    set_topic_attributes::SetTopicAttributes, subscribe::Subscribe, tag_resource::TagResource,
    unsubscribe::Unsubscribe, untag_resource::UntagResource,
};
use crate::rules;
use escale_base::{
    AwsError, Wire, already_gone, found, ids,
    wire::{Map, Value},
};
use escale_service::{Created, Cx, InputDraft, Props, ResourceType, Resources, Update, own_tags};
use escale_tables::sns::{Subscription, Topic, TopicArn};
use std::collections::BTreeMap;

/// The attributes that are properties of their own, with AWS's defaults.
const ATTRIBUTES: [(&str, &str); 2] = [("DisplayName", ""), ("SignatureVersion", "1")];

pub(crate) fn types() -> Resources {
    vec![
        ResourceType::new(
            "AWS::SNS::Topic",
            &["TopicName", "DisplayName", "SignatureVersion", "Subscription", "Tags"],
            create_topic,
            |cx, created| created.delete_by::<DeleteTopic>(cx, "TopicArn"),
        )
        .update(update_topic)
        .read(read_topic),
        ResourceType::new(
            "AWS::SNS::Subscription",
            &["TopicArn", "Protocol", "Endpoint", "RawMessageDelivery"],
            create_subscription,
            |cx, created| already_gone(created.delete_by::<Unsubscribe>(cx, "SubscriptionArn")),
        )
        .update(update_subscription)
        .read(read_subscription),
        ResourceType::new(
            "AWS::SNS::TopicPolicy",
            &["PolicyDocument", "Topics"],
            create_policy,
            delete_policy,
        )
        .update(update_policy)
        .read(read_policy),
    ]
}

/// A subscription that is a property of its topic.
#[derive(Clone, PartialEq, Wire)]
struct Own {
    protocol: String,
    endpoint: String,
}

fn create_topic(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let name = props.name_or_generated("TopicName", 256);
    let given =
        ATTRIBUTES.iter().filter_map(|(name, _)| Some(((*name).to_owned(), props.str(name)?.to_owned())));
    let attributes: BTreeMap<String, String> = given.collect();
    // An existing topic would be taken over, and deleted with the stack.
    if cx.tx.has::<Topic>(&rules::topic_arn(cx.config, &name)) {
        return Err(props.invalid(format_args!("The topic {name} already exists")));
    }
    let input = InputDraft::<CreateTopic>::new().with("Name", &name).with("Attributes", &attributes);
    let arn = input.with("Tags", &props.tags()?).call(cx)?.topic_arn;
    for own in props.read::<Vec<Own>>("Subscription")? {
        subscribe(cx, &arn, &own)?;
    }
    Ok(Created::new(arn.as_str()).with("TopicArn", arn.as_str()).with("TopicName", name.as_str()))
}

fn subscribe(cx: &mut Cx<'_>, topic: &TopicArn, own: &Own) -> Result<(), AwsError> {
    let input = InputDraft::<Subscribe>::new().with("TopicArn", topic).with("Protocol", &own.protocol);
    input.with("Endpoint", &own.endpoint).call(cx).map(drop)
}

fn update_topic(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    let arn = TopicArn(update.created.physical_id.clone());
    for (name, default) in ATTRIBUTES.iter().filter(|(name, _)| update.changed(name)) {
        let value = update.after.str(name).unwrap_or(default).to_owned();
        let input = InputDraft::<SetTopicAttributes>::new().with("TopicArn", &arn);
        input.with("AttributeName", &(*name).to_owned()).with("AttributeValue", &value).call(cx)?;
    }
    let (ended, begun) = update.list::<Own>("Subscription")?;
    for own in ended {
        let is_it = |s: &Subscription| s.protocol.as_str() == own.protocol && s.endpoint == own.endpoint;
        let found = rules::subscriptions_of(cx.tx, &arn).find(|s| is_it(s)).map(|s| s.arn.clone());
        if let Some(arn) = found {
            InputDraft::<Unsubscribe>::new().with("SubscriptionArn", &arn).call(cx)?;
        }
    }
    for own in begun {
        subscribe(cx, &arn, &own)?;
    }
    let (set, removed) = update.tags()?;
    if !set.is_empty() {
        InputDraft::<TagResource>::new().with("ResourceArn", &arn).with("Tags", &set).call(cx)?;
    }
    if !removed.is_empty() {
        InputDraft::<UntagResource>::new().with("ResourceArn", &arn).with("TagKeys", &removed).call(cx)?;
    }
    Ok(update.created.clone())
}

fn read_topic(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    let arn = TopicArn(created.physical_id.clone());
    let input = InputDraft::<GetTopicAttributes>::new().with("TopicArn", &arn);
    let Some(got) = found(input.call(cx))? else { return Ok(None) };
    let mut properties = Map::new();
    properties.insert("TopicName".into(), created.attribute("TopicName")?.into());
    for (name, default) in ATTRIBUTES {
        if let Some(value) = got.attributes.get(name).filter(|value| *value != default) {
            properties.insert(name.into(), value.as_str().into());
        }
    }
    let own = rules::subscriptions_of(cx.tx, &arn);
    let own: Vec<Value> =
        own.map(|s| Own { protocol: s.protocol.to_string(), endpoint: s.endpoint.clone() }.write()).collect();
    properties.insert("Subscription".into(), own.into());
    let tags = InputDraft::<ListTagsForResource>::new().with("ResourceArn", &arn).call(cx)?.tags;
    properties.insert("Tags".into(), own_tags(&tags));
    Ok(Some(properties))
}

fn create_subscription(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let input = props.input::<Subscribe>(&["TopicArn", "Protocol", "Endpoint"]);
    let raw = props.bool("RawMessageDelivery").map(|raw| ("RawMessageDelivery".to_owned(), raw.to_string()));
    let attributes: BTreeMap<String, String> = raw.into_iter().collect();
    let made = input.with("Attributes", &attributes).with("ReturnSubscriptionArn", &true).call(cx)?;
    let arn = made.subscription_arn;
    Ok(Created::new(arn.as_str()).with("Arn", arn.as_str()))
}

fn update_subscription(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    if update.changed("RawMessageDelivery") {
        let raw = update.after.bool("RawMessageDelivery").unwrap_or(false).to_string();
        let input = InputDraft::<SetSubscriptionAttributes>::new();
        let input = input.with("SubscriptionArn", &update.created.physical_id);
        input
            .with("AttributeName", &"RawMessageDelivery".to_owned())
            .with("AttributeValue", &raw)
            .call(cx)?;
    }
    Ok(update.created.clone())
}

fn read_subscription(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    let input = InputDraft::<GetSubscriptionAttributes>::new().with("SubscriptionArn", &created.physical_id);
    let Some(got) = found(input.call(cx))? else { return Ok(None) };
    let mut properties = Map::new();
    for name in ["TopicArn", "Protocol", "Endpoint"] {
        if let Some(value) = got.attributes.get(name) {
            properties.insert(name.into(), value.as_str().into());
        }
    }
    if got.attributes.get("RawMessageDelivery").is_some_and(|raw| raw == "true") {
        properties.insert("RawMessageDelivery".into(), true.into());
    }
    Ok(Some(properties))
}

fn create_policy(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    set_policies(cx, &props.read::<Vec<TopicArn>>("Topics")?, &document(props)?)?;
    let id = format!("{}-{}-{}", props.stack_name, props.logical_id, ids::random_upper(12));
    remembering(Created::new(id.as_str()).with("Id", id.as_str()), props)
}

/// With the topics, which the deletion needs.
fn remembering(created: Created, props: &Props<'_>) -> Result<Created, AwsError> {
    let topics = props.get("Topics").cloned().unwrap_or_default();
    Ok(created.with_private("Topics", topics))
}

fn document(props: &Props<'_>) -> Result<String, AwsError> {
    props.document("PolicyDocument").ok_or_else(|| props.invalid("Property PolicyDocument cannot be empty"))
}

/// An empty policy is the default one.
fn set_policies(cx: &mut Cx<'_>, topics: &[TopicArn], policy: &str) -> Result<(), AwsError> {
    for topic in topics {
        let input = InputDraft::<SetTopicAttributes>::new().with("TopicArn", topic);
        let input = input.with("AttributeName", &"Policy".to_owned());
        input.with("AttributeValue", &policy.to_owned()).call(cx)?;
    }
    Ok(())
}

fn update_policy(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    let (removed, _) = update.list::<TopicArn>("Topics")?;
    drop_policies(cx, &removed)?;
    set_policies(cx, &update.after.read::<Vec<TopicArn>>("Topics")?, &document(update.after)?)?;
    remembering(update.created.clone(), update.after)
}

fn drop_policies(cx: &mut Cx<'_>, topics: &[TopicArn]) -> Result<(), AwsError> {
    for topic in topics {
        already_gone(set_policies(cx, std::slice::from_ref(topic), ""))?;
    }
    Ok(())
}

fn topics_of(created: &Created) -> Vec<TopicArn> {
    created.private_list("Topics").map(TopicArn::from).collect()
}

fn delete_policy(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    drop_policies(cx, &topics_of(created))
}

fn read_policy(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    let mut with_policy = Vec::new();
    let mut document = None;
    for arn in topics_of(created) {
        let topic = cx.tx.get::<Topic>(&arn);
        if let Some(policy) = topic.and_then(|topic| topic.policy.clone()) {
            with_policy.push(arn.write());
            document = serde_json::from_str::<Value>(&policy).ok();
        }
    }
    let Some(document) = document else { return Ok(None) };
    Ok(Some(Map::from_iter([
        ("PolicyDocument".to_owned(), document),
        ("Topics".to_owned(), with_policy.into()),
    ])))
}

#[cfg(test)]
mod tests {
    use crate::Sns;
    use escale_base::wire::Value;
    use escale_harness::{Harness, PropertyTable};
    use serde_json::json;

    const TOPIC: &str = "arn:aws:sns:eu-west-3:000000000000:alerts";

    fn harness() -> Harness {
        let harness = Harness::of(Sns);
        for name in ["alerts", "other"] {
            harness.ok("CreateTopic", json!({ "Name": name }));
        }
        harness
    }

    fn policy(action: &str) -> Value {
        json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": { "Service": "cloudwatch.amazonaws.com" }, "Action": action, "Resource": TOPIC }] })
    }

    #[test]
    fn updates_every_property_of_a_topic() {
        let own = |endpoint: &str| json!([{ "Protocol": "email", "Endpoint": endpoint }]);
        PropertyTable::new("AWS::SNS::Topic", || (Harness::of(Sns), json!({ "TopicName": "alerts" })))
            .row("DisplayName", "Alerts".into(), Value::Null)
            .row("SignatureVersion", "2".into(), Value::Null)
            .row("Subscription", own("a@example.com"), own("b@example.com"))
            .row("Tags", json!([{ "Key": "a", "Value": "1" }]), json!([{ "Key": "b", "Value": "2" }]))
            .check();
    }

    #[test]
    fn updates_every_property_of_a_subscription_and_a_policy() {
        fn subscription() -> Value {
            json!({ "TopicArn": TOPIC, "Protocol": "http", "Endpoint": "http://198.18.200.1/" })
        }
        PropertyTable::new("AWS::SNS::Subscription", || (harness(), subscription()))
            .row("RawMessageDelivery", true.into(), Value::Null)
            .check();
        PropertyTable::new("AWS::SNS::TopicPolicy", || {
            (harness(), json!({ "Topics": [TOPIC], "PolicyDocument": policy("sns:Publish") }))
        })
        .row("PolicyDocument", policy("sns:Publish"), policy("sns:Subscribe"))
        .row("Topics", json!([TOPIC]), json!(["arn:aws:sns:eu-west-3:000000000000:other"]))
        .check();
    }
}
