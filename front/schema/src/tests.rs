use super::*;
use expect_test::{Expect, expect};
use serde_json::{Value, json};

fn check(type_name: &str, properties: Value, expected: Expect) {
    let coerced = schema(type_name).unwrap().coerce(properties.as_object().unwrap());
    expected.assert_eq(&match coerced {
        Ok(properties) => Value::Object(properties).to_string(),
        Err(faults) => faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
    });
}

#[test]
fn every_schema_parses_and_its_references_have_targets() {
    fn follow(schema: &Schema, name: &str, node: &Node) {
        if let Some(reference) = &node.reference {
            let target = reference.strip_prefix("#/definitions/").unwrap();
            assert!(schema.definitions.contains_key(target), "{name}: {reference}");
        }
        for pattern in node.pattern.iter().chain(node.pattern_properties.iter().map(|(pattern, _)| pattern)) {
            pattern.compile().unwrap();
        }
        let below = node.properties.values().chain(node.pattern_properties.iter().map(|(_, inner)| inner));
        below.chain(node.items.as_deref()).for_each(|inner| follow(schema, name, inner));
    }
    let mut count = 0;
    for (namespace, file) in &FILES {
        let schemas: HashMap<String, Schema> =
            serde_json::from_str(&escale_model::unpack(file.text)).unwrap();
        for (name, schema) in &schemas {
            assert!(super::schema(name).is_some(), "{name} is not found by its name");
            // A service may have types of several namespaces in one file.
            if !name.starts_with(&format!("AWS::{namespace}::")) {
                continue;
            }
            schema
                .properties
                .values()
                .chain(schema.definitions.values())
                .for_each(|n| follow(schema, name, n));
            count += 1;
        }
    }
    assert_eq!(count, 80);
}

#[test]
fn converts_between_text_numbers_and_booleans() {
    check(
        "AWS::EC2::Subnet",
        json!({"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/24", "MapPublicIpOnLaunch": "True"}),
        expect![[r#"{"VpcId":"vpc-1","CidrBlock":"10.0.0.0/24","MapPublicIpOnLaunch":true}"#]],
    );
    check(
        "AWS::RDS::DBInstance",
        json!({"AllocatedStorage": 20, "Port": 5432, "EngineVersion": 15.4, "BackupRetentionPeriod": "7", "MultiAZ": "false"}),
        expect![[
            r#"{"AllocatedStorage":"20","Port":"5432","EngineVersion":"15.4","BackupRetentionPeriod":7,"MultiAZ":false}"#
        ]],
    );
    check("AWS::Logs::LogGroup", json!({"RetentionInDays": "7.0"}), expect![[r#"{"RetentionInDays":7}"#]]);
}

#[test]
fn converts_values_inside_lists_and_structures() {
    check(
        "AWS::ECS::TaskDefinition",
        json!({"Cpu": 256, "ContainerDefinitions": [{
            "Name": "web", "Image": "nginx", "Essential": "true", "PortMappings": [{"ContainerPort": "80"}],
            "Environment": [{"Name": "DEBUG", "Value": true}],
            "LogConfiguration": {"LogDriver": "awslogs", "Options": {"mode": 1}},
        }]}),
        expect![[
            r#"{"Cpu":"256","ContainerDefinitions":[{"Name":"web","Image":"nginx","Essential":true,"PortMappings":[{"ContainerPort":80}],"Environment":[{"Name":"DEBUG","Value":"true"}],"LogConfiguration":{"LogDriver":"awslogs","Options":{"mode":"1"}}}]}"#
        ]],
    );
}

#[test]
fn reports_every_fault_with_its_path() {
    check(
        "AWS::ECS::TaskDefinition",
        json!({"Cups": 1, "ContainerDefinitions": [
            {"Name": "web", "PortMappings": [{"ContainerPort": "http"}]},
            {"Name": "side", "Image": "x", "Secrets": [{"Name": "A", "ValueForm": "b"}]},
        ]}),
        expect![[r#"
            #: extraneous key [Cups] is not permitted
            #/ContainerDefinitions/0: required key [Image] not found
            #/ContainerDefinitions/0/PortMappings/0/ContainerPort: expected type: Number, found: String
            #/ContainerDefinitions/1/Secrets/0: required key [ValueFrom] not found
            #/ContainerDefinitions/1/Secrets/0: extraneous key [ValueForm] is not permitted"#]],
    );
    check(
        "AWS::EC2::Subnet",
        json!({"CidrBlock": ["10.0.0.0/24"]}),
        expect![[r#"
        #: required key [VpcId] not found
        #/CidrBlock: expected type: String, found: JSONArray"#]],
    );
    check(
        "AWS::Logs::LogGroup",
        json!({"RetentionInDays": 8, "LogGroupName": "a b", "Arn": "x"}),
        expect![[r#"
        #/RetentionInDays: failed validation constraint for keyword [enum]: valid are [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653]
        #/LogGroupName: failed validation constraint for keyword [pattern]
        #/Arn: is a read-only property: it cannot be set"#]],
    );
    check(
        "AWS::RDS::DBInstance",
        json!({"MasterUserSecret": {"SecretArn": "x"}, "MonitoringInterval": "often"}),
        expect![[r#"
            #/MasterUserSecret/SecretArn: is a read-only property: it cannot be set
            #/MonitoringInterval: expected type: Number, found: String"#]],
    );
}

#[test]
fn accepts_a_value_that_is_not_known_yet() {
    check(
        "AWS::EC2::Subnet",
        json!({"VpcId": null, "Tags": [{"Key": "a", "Value": null}]}),
        expect![[r#"{"VpcId":null,"Tags":[{"Key":"a","Value":null}]}"#]],
    );
}

#[test]
fn documents_are_objects_or_texts() {
    for document in [json!("{}"), json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow"}]})] {
        let properties = json!({"Bucket": "b", "PolicyDocument": document});
        let properties = properties.as_object().unwrap();
        assert_eq!(schema("AWS::S3::BucketPolicy").unwrap().coerce(properties).as_ref(), Ok(properties));
    }
}

#[test]
fn knows_which_properties_an_update_may_change() {
    let instance = schema("AWS::RDS::DBInstance").unwrap();
    assert_eq!(instance.mutability("DBName"), Mutability::CreateOnly);
    assert_eq!(instance.mutability("MultiAZ"), Mutability::ConditionallyCreateOnly);
    assert_eq!(instance.mutability("DBInstanceClass"), Mutability::Updatable);
    assert!(instance.is_read_only("DBInstanceArn"));
    assert!(!instance.is_read_only("DBName"));
}

#[test]
fn stored_values_of_another_type_are_unknown() {
    let stored = json!({"SecurityGroupIngress": [
        {"IpProtocol": "tcp", "FromPort": "80", "ToPort": "{{NoEcho:0123}}", "CidrIp": "{{NoEcho:0123}}"},
    ]});
    let coerced = schema("AWS::EC2::SecurityGroup").unwrap().coerce_stored(stored.as_object().unwrap());
    let expected = json!({"SecurityGroupIngress": [
        {"IpProtocol": "tcp", "FromPort": 80, "ToPort": null, "CidrIp": "{{NoEcho:0123}}"},
    ]});
    assert_eq!(Value::Object(coerced), expected);
}
