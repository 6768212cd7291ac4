//! Requests between services have only members that the called operations have.

use crate::cloud::Harness;
use escale_base::wire::Field;

#[tokio::test]
async fn requests_between_services_have_the_members_of_the_operations() {
    let harness = Harness::open().await;
    let mut faults = Vec::new();
    for shape in escale_requests::ALL.iter().copied().flatten() {
        let at = format!("{}:{}", shape.service, shape.name);
        let Some(entry) = harness.cloud.entry(shape.service, shape.name) else {
            faults.push(format!("{at} is not an operation"));
            continue;
        };
        missing(&format!("{at} input"), shape.input, entry.input, &mut faults);
        missing(&format!("{at} answer"), shape.answer, entry.output, &mut faults);
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Members of `used` that `offered` does not have, at any depth.
fn missing(at: &str, used: &[Field], offered: &[Field], faults: &mut Vec<String>) {
    for member in used {
        match offered.iter().find(|o| o.name == member.name) {
            None => faults.push(format!("{at} has no member {}", member.name)),
            Some(found) if found.open => {}
            Some(found) => {
                missing(&format!("{at}.{}", member.name), (member.below)(), (found.below)(), faults);
            }
        }
    }
}
