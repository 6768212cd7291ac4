//! The resource types `AWS::S3::*`, implemented with this service's operations.

mod bucket;
mod lifecycle;
#[cfg(test)]
mod tests;
mod website;

use crate::ops::{
    delete_bucket_policy::DeleteBucketPolicy, get_bucket_policy::GetBucketPolicy,
    put_bucket_policy::PutBucketPolicy,
};
use escale_base::{
    AwsError, found,
    wire::{self, Map, Value},
};
use escale_service::{Created, Cx, InputDraft, Props, ResourceType};

pub(crate) fn types() -> Vec<ResourceType> {
    vec![
        ResourceType::new(bucket::NAME, bucket::PROPERTIES, bucket::create, bucket::delete)
            .gone(bucket::gone)
            .update(bucket::update)
            .read(bucket::read)
            .adopt(|cx, name, _| Ok(bucket::described(cx, &name.into()))),
        ResourceType::new(
            "AWS::S3::BucketPolicy",
            &["Bucket", "PolicyDocument"],
            |cx, props| {
                put_policy(cx, props)?;
                Ok(Created::new(props.text("Bucket")?))
            },
            |cx, created| created.delete_by::<DeleteBucketPolicy>(cx, "Bucket"),
        )
        .update(|cx, update| {
            put_policy(cx, update.after)?;
            Ok(update.created.clone())
        })
        .read(read_policy),
    ]
}

fn put_policy(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<(), AwsError> {
    let input = props.input_without::<PutBucketPolicy>(&[]).renamed(&[("PolicyDocument", "Policy")]);
    input.call(cx).map(drop)
}

fn read_policy(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    let bucket = &created.physical_id;
    let got = InputDraft::<GetBucketPolicy>::new().with("Bucket", bucket).call(cx);
    let Some(text) = found(got)?.map(|got| got.policy) else { return Ok(None) };
    let mut properties = Map::new();
    wire::put(&mut properties, "Bucket", bucket);
    let document = serde_json::from_str(&text).unwrap_or(Value::String(text));
    properties.insert("PolicyDocument".into(), document);
    Ok(Some(properties))
}
