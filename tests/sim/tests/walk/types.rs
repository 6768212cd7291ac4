//! Compares every CloudFormation type with its schema.

use crate::cloud::Harness;

#[tokio::test]
async fn every_type_has_a_schema_and_supports_only_properties_of_it() {
    let harness = Harness::open().await;
    let (mut faults, mut count) = (Vec::new(), 0);
    for kind in harness.cloud.resource_types() {
        count += 1;
        let Some(schema) = escale_schema::schema(kind.name) else {
            faults.push(format!("{} has no schema: add it to models/types.json", kind.name));
            continue;
        };
        for property in kind.properties {
            if !schema.properties().any(|known| known == *property) {
                faults.push(format!("{} has no property {property}", kind.name));
            } else if schema.is_read_only(property) {
                faults.push(format!("{property} of {} is read-only", kind.name));
            }
        }
    }
    assert_eq!(faults, Vec::<String>::new());
    assert_eq!(count, 80);
}
