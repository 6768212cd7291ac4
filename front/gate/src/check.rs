//! Compares the services with the models, once at start.

use escale_service::Cloud;

/// Operations and members that a service names and its model does not have. Each is a misspelling.
pub fn check_against_models(cloud: &Cloud) -> Vec<String> {
    let mut faults = Vec::new();
    for (service, entry) in cloud.entries() {
        let Some(model) = escale_model::service(service) else {
            faults.push(format!("{service}: there is no such model"));
            continue;
        };
        let Some(operation) = model.operation(entry.name) else {
            faults.push(format!("{service}: the model has no operation {}", entry.name));
            continue;
        };
        for (what, shape, fields) in
            [("input", operation.input, entry.input), ("output", operation.output, entry.output)]
        {
            match shape {
                Some(shape) => faults.extend(
                    escale_wire::check_fields(model, shape, fields)
                        .into_iter()
                        .map(|fault| format!("{service}:{} {what}: {fault}", entry.name)),
                ),
                None if fields.is_empty() => {}
                None => faults.push(format!("{service}:{} has no {what} in the model", entry.name)),
            }
        }
    }
    faults
}
