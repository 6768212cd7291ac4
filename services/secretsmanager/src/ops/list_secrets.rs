//! <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecrets.html>

use crate::choices::FilterKey;
use crate::{Error, shapes};
use escale_base::{Tag, Timestamp, Wire, limits, paging};
use escale_service::{Cx, Operation};
use escale_tables::secretsmanager::{OwningService, SecretName, StagingLabel, StoredSecret};
use std::collections::BTreeMap;

pub(crate) struct ListSecrets;

escale_base::choice! { pub(crate) enum Order { Ascending = "asc", Descending = "desc" } }
escale_base::choice! {
    pub(crate) enum Sort { Created = "created-date", Changed = "last-changed-date", Name = "name" }
}

#[derive(Wire)]
pub(crate) struct Filter {
    key: FilterKey,
    values: Vec<String>,
}

#[derive(Wire)]
pub(crate) struct Input {
    include_planned_deletion: Option<bool>,
    max_results: Option<usize>,
    next_token: Option<String>,
    filters: Vec<Filter>,
    sort_order: Option<Order>,
    sort_by: Option<Sort>,
}

#[derive(Wire)]
pub(crate) struct Listed {
    #[wire("ARN")]
    arn: String,
    name: SecretName,
    description: Option<String>,
    kms_key_id: Option<String>,
    last_changed_date: Timestamp,
    deleted_date: Option<Timestamp>,
    tags: Vec<Tag>,
    secret_versions_to_stages: BTreeMap<String, Vec<StagingLabel>>,
    owning_service: Option<OwningService>,
    created_date: Timestamp,
}

#[derive(Wire)]
pub(crate) struct Output {
    secret_list: Vec<Listed>,
    next_token: Option<String>,
}

impl Operation for ListSecrets {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let mut found = Vec::new();
        for secret in cx.tx.scan::<StoredSecret>() {
            let included = match secret.deletion {
                None => true,
                Some(deletion) => input.include_planned_deletion == Some(true) && deletion.at > cx.now,
            };
            if included && passes(&secret, &input.filters)? {
                found.push(secret);
            }
        }
        // The key starts with the sort criterion, so it can also serve as the token of a page.
        let key = |s: &StoredSecret| match input.sort_by.unwrap_or(Sort::Created) {
            Sort::Name => s.name.to_string(),
            Sort::Created => format!("{:016}/{}", s.created.0, s.name),
            Sort::Changed => format!("{:016}/{}", s.changed.0, s.name),
        };
        found.sort_by_key(|s| key(s));
        let size = input.max_results.unwrap_or(limits::PAGE_DEFAULT);
        let (items, next) = match input.sort_order.unwrap_or(Order::Descending) {
            Order::Ascending => {
                let page = paging::page(found, |s| key(s), input.next_token.as_deref(), size)?;
                (page.items, page.next)
            }
            Order::Descending => {
                // Paging needs keys in ascending order, so the position in the reversed list is the key.
                let total = found.len();
                let numbered = found.into_iter().rev().enumerate();
                let at = |(i, _): &(usize, std::sync::Arc<StoredSecret>)| format!("{i:08}");
                let page = paging::page(numbered, at, input.next_token.as_deref(), size.min(total.max(1)))?;
                (page.items.into_iter().map(|(_, s)| s).collect(), page.next)
            }
        };
        Ok(Output { secret_list: items.iter().map(|s| listed(s)).collect(), next_token: next })
    }
}

fn listed(secret: &StoredSecret) -> Listed {
    Listed {
        arn: secret.arn.to_string(),
        name: secret.name.clone(),
        description: secret.description.clone(),
        kms_key_id: secret.kms_key_id.clone(),
        last_changed_date: secret.changed,
        deleted_date: secret.deletion.map(|d| d.asked),
        tags: secret.tags.clone(),
        secret_versions_to_stages: shapes::stages(secret),
        owning_service: secret.owning_service.clone(),
        created_date: secret.created,
    }
}

/// All filters must match, each by at least one of its values. `!` before a value negates it.
fn passes(secret: &StoredSecret, filters: &[Filter]) -> Result<bool, Error> {
    for filter in filters {
        let values: Vec<&str> = match filter.key {
            FilterKey::Name => vec![&secret.name],
            FilterKey::Description => secret.description.iter().map(String::as_str).collect(),
            FilterKey::TagKey => secret.tags.iter().map(|t| t.key.as_str()).collect(),
            FilterKey::TagValue => secret.tags.iter().map(|t| t.value.as_str()).collect(),
            FilterKey::OwningService => secret.owning_service.iter().map(OwningService::as_str).collect(),
            FilterKey::PrimaryRegion => vec![secret.arn.region.as_str()],
            FilterKey::All => {
                let tags = secret.tags.iter().flat_map(|t| [t.key.as_str(), t.value.as_str()]);
                let description = secret.description.iter().map(String::as_str);
                std::iter::once(secret.name.as_str()).chain(description).chain(tags).collect()
            }
        };
        let begins = |wanted: &str| match filter.key {
            // As AWS documents, only these two ignore case.
            FilterKey::Description | FilterKey::All => {
                let wanted = wanted.to_lowercase();
                values.iter().any(|v| v.to_lowercase().starts_with(&wanted))
            }
            _ => values.iter().any(|v| v.starts_with(wanted)),
        };
        let hit = filter.values.iter().any(|v| match v.strip_prefix('!') {
            Some(wanted) => !begins(wanted),
            None => begins(v),
        });
        if !hit {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use crate::SecretsManager;
    use escale_harness::Harness;
    use serde_json::json;

    #[test]
    fn lists_newest_first_in_pages() {
        let cloud = Harness::of(SecretsManager);
        for name in ["a", "b", "c"] {
            cloud.ok("CreateSecret", json!({"Name": name}));
            cloud.clock.advance_ms(1);
        }
        let (mut names, mut token) = (vec![], serde_json::Value::Null);
        loop {
            let page = cloud.ok("ListSecrets", json!({"MaxResults": 2, "NextToken": token}));
            let list = page["SecretList"].as_array().unwrap().clone();
            names.extend(list.iter().map(|s| s["Name"].as_str().unwrap().to_owned()));
            token = page["NextToken"].clone();
            if token.is_null() {
                break;
            }
        }
        assert_eq!(names, ["c", "b", "a"]);
        let filtered = cloud.ok("ListSecrets", json!({"Filters": [{"Key": "name", "Values": ["b"]}]}));
        assert_eq!(filtered["SecretList"].as_array().unwrap().len(), 1);
    }
}
