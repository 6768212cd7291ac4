//! Tests of the type's updates.

use crate::Ecr;
use escale_base::{Clock, Timestamp};
use escale_harness::{Harness, PropertyTable};
use escale_registry::Fake;
use escale_tables::ecr::{Deletion, Repository};
use serde_json::{Value, json};
use std::sync::Arc;

fn policy(action: &str) -> Value {
    json!({"Version": "2012-10-17", "Statement": [
        {"Sid": "pull", "Effect": "Allow", "Principal": "*", "Action": [action, "ecr:SetRepositoryPolicy"]},
    ]})
}

fn lifecycle(days: u32) -> String {
    let selection = json!({"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": days});
    json!({"rules": [{"rulePriority": 1, "selection": selection, "action": {"type": "expire"}}]}).to_string()
}

#[test]
fn updates_change_every_property() {
    let cloud = Harness::of(Ecr::new(Arc::new(Fake::new(Clock::by_hand(Timestamp(0))))));
    PropertyTable::on(
        "AWS::ECR::Repository",
        &cloud,
        json!({
            "RepositoryName": "shop", "EncryptionConfiguration": {"EncryptionType": "AES256"}, "ImageTagMutability": "IMMUTABLE",
            "RepositoryPolicyText": policy("ecr:BatchGetImage"), "EmptyOnDelete": true,
            "ImageScanningConfiguration": {"ScanOnPush": true},
            "LifecyclePolicy": {"LifecyclePolicyText": lifecycle(5), "RegistryId": "000000000000"},
            "Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}],
        }),
    )
    .changes(vec![
        json!({"ImageTagMutability": "MUTABLE"}),
        json!({"ImageTagMutability": null}),
        json!({"ImageScanningConfiguration": {"ScanOnPush": false}}),
        json!({"ImageScanningConfiguration": null}),
        json!({"RepositoryPolicyText": policy("ecr:ListImages")}),
        json!({"RepositoryPolicyText": null}),
        json!({"Tags": [{"Key": "a", "Value": "3"}, {"Key": "c", "Value": "4"}]}),
        json!({"Tags": null}),
        json!({"LifecyclePolicy": {"LifecyclePolicyText": lifecycle(7)}}),
        json!({"LifecyclePolicy": null}),
        json!({"EmptyOnDelete": false}),
    ])
    .write_only(&["EmptyOnDelete"])
    .check();
}

#[test]
fn repository_keeps_its_images_after_empty_on_delete_was_removed() {
    let cloud = Harness::of(Ecr::new(Arc::new(Fake::new(Clock::by_hand(Timestamp(0))))));
    let before = json!({"RepositoryName": "shop", "EmptyOnDelete": true});
    let mut resource = cloud.create_resource("AWS::ECR::Repository", before).unwrap();
    cloud.update_resource(&mut resource, json!({"RepositoryName": "shop"})).unwrap();
    cloud.delete_resource(&resource).unwrap();
    assert_eq!(cloud.store.read().get::<Repository>("shop").unwrap().deletion, Deletion::IfEmpty);
}
