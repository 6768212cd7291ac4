//! Rules that are resources of their own and name the same traffic.

use super::*;

#[test]
fn rule_that_exists_already_is_shared_by_its_resources() {
    let (cloud, mut base) = group();
    let rule = tcp(80, "10.0.0.0/8");
    base["SecurityGroupIngress"] = json!([rule]);
    let group = cloud.create_resource("AWS::EC2::SecurityGroup", base.clone()).unwrap();
    let id = group.created.physical_id.clone();
    let mut own = rule.clone();
    own["GroupId"] = id.as_str().into();
    let create = || cloud.create_resource("AWS::EC2::SecurityGroupIngress", own.clone()).unwrap();
    let (one, two) = (create(), create());
    assert_eq!(rule_ids(&cloud, &id, false), [one.created.physical_id.as_str()]);
    assert_eq!(one.created.physical_id, two.created.physical_id);
    // A stack keeps the properties as the template writes them.
    base["SecurityGroupIngress"][0]["FromPort"] = "80".into();
    put_stack_row(&cloud, 0, Role::Kept, &id, base.clone());
    put_stack_row(&cloud, 1, Role::Kept, &one.created.physical_id, own.clone());
    for resource in [&group, &one, &two] {
        cloud.check_no_drift(resource);
    }
    for resource in [&one, &two] {
        cloud.delete_resource(resource).unwrap();
    }
    assert_eq!(rule_ids(&cloud, &id, false), [""; 0]);
}
