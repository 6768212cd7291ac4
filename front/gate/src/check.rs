//! Compares the services with the models, once at start.

use escale_service::{Cloud, Recorded, Service};

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
    faults.extend(cloud.services().flat_map(|service| listed_in_vain(cloud, service.as_ref())));
    faults
}

/// Names in a service's lists for `escale coverage` of operations that it does not have: such an entry would say nothing.
fn listed_in_vain(cloud: &Cloud, service: &dyn Service) -> Vec<String> {
    let names = |list: &[Recorded]| list.iter().map(|recorded| recorded.name).collect::<Vec<_>>();
    let operation = |name: &'static str| {
        let operation = name.split_once('.').map_or(name, |(operation, _)| operation);
        (operation != "*" && !operation.contains(':')).then_some(operation)
    };
    let all = names(service.recorded()).into_iter().chain(names(service.incomplete()));
    let absent = all.filter_map(operation).filter(|name| cloud.entry(service.id(), name).is_none());
    absent
        .map(|name| {
            format!(
                "{}: the list for `escale coverage` names {name}, which is no operation of it",
                service.id()
            )
        })
        .collect()
}
