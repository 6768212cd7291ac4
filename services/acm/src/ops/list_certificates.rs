//! <https://docs.aws.amazon.com/acm/latest/APIReference/API_ListCertificates.html>

use crate::{
    Error,
    choices::{
        CertificateStatus, CertificateType, ExtendedKeyUsageName, KeyUsageName, RenewalEligibility, SortBy,
        SortOrder,
    },
    in_use, rules, shapes, status,
};
use escale_base::{Timestamp, Wire, paging};
use escale_service::{Cx, Operation};
use escale_tables::acm::{Certificate, CertificateArn, CertificateSeen, KeyAlgorithm, Origin, usable};
use std::sync::Arc;

pub(crate) struct ListCertificates;

const PAGE: usize = 1000;

#[derive(Wire)]
pub(crate) struct Input {
    certificate_statuses: Vec<CertificateStatus>,
    includes: Option<Filters>,
    next_token: Option<String>,
    max_items: Option<usize>,
    sort_by: Option<SortBy>,
    sort_order: Option<SortOrder>,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Filters {
    key_types: Vec<KeyAlgorithm>,
}

#[derive(Wire)]
pub(crate) struct Output {
    certificate_summary_list: Vec<Summary>,
    next_token: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Summary {
    certificate_arn: CertificateArn,
    domain_name: String,
    subject_alternative_name_summaries: Vec<String>,
    has_additional_subject_alternative_names: bool,
    status: CertificateStatus,
    #[wire("Type")]
    kind: CertificateType,
    key_algorithm: KeyAlgorithm,
    key_usages: Vec<KeyUsageName>,
    extended_key_usages: Vec<ExtendedKeyUsageName>,
    in_use: bool,
    renewal_eligibility: RenewalEligibility,
    not_before: Option<Timestamp>,
    not_after: Option<Timestamp>,
    created_at: Option<Timestamp>,
    issued_at: Option<Timestamp>,
    imported_at: Option<Timestamp>,
}

impl Operation for ListCertificates {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        if input.sort_by.is_some() != input.sort_order.is_some() {
            return Err(Error::Invalid("SortBy and SortOrder must be given together.".into()));
        }
        let keys = input.includes.map(|filters| filters.key_types).filter(|keys| !keys.is_empty());
        // AWS's default filter.
        let keys = keys.unwrap_or_else(|| vec![KeyAlgorithm::Rsa1024, KeyAlgorithm::Rsa2048]);
        let is_wanted = |row: &Arc<Certificate>| {
            let by_status = input.certificate_statuses.is_empty()
                || input.certificate_statuses.contains(&status::of(cx.tx, row, cx.now));
            by_status && keys.contains(&row.key)
        };
        let mut rows: Vec<_> = cx.tx.prefix::<Certificate>(&rules::arn(cx, "")).filter(is_wanted).collect();
        rows.sort_by_key(|row| (row.created, row.arn.to_string()));
        if input.sort_order == Some(SortOrder::Descending) {
            rows.reverse();
        }
        let size = input.max_items.unwrap_or(PAGE);
        // Not the ARN alone: a token is compared in the order of the list.
        let key = |row: &Arc<Certificate>| position(row, input.sort_order == Some(SortOrder::Descending));
        let page = paging::page(rows, key, input.next_token.as_deref(), size)?;
        Ok(Output {
            certificate_summary_list: page.items.iter().map(|row| summary(cx, row)).collect(),
            next_token: page.next,
        })
    }
}

/// A text that orders as the list does.
fn position(row: &Certificate, descending: bool) -> String {
    let at = if descending { i64::MAX - row.created.0 } else { row.created.0 };
    format!("{at:020}/{}", row.arn)
}

fn summary(cx: &Cx<'_>, row: &Certificate) -> Summary {
    let material = usable(cx.tx, &row.arn);
    let in_use = !in_use::by(cx.tx, &cx.config.account, &row.arn).is_empty();
    let imported = match row.origin {
        Origin::Imported { at, .. } => Some(at),
        Origin::Requested { .. } => None,
    };
    Summary {
        certificate_arn: row.arn.clone(),
        domain_name: row.domain.clone(),
        subject_alternative_name_summaries: row.names.clone(),
        has_additional_subject_alternative_names: false,
        status: status::of(cx.tx, row, cx.now),
        kind: shapes::kind(row),
        key_algorithm: row.key,
        key_usages: shapes::key_usages(row),
        extended_key_usages: shapes::extended_key_usages(row),
        in_use,
        renewal_eligibility: shapes::eligibility(in_use && imported.is_none() && material.is_some()),
        not_before: material.as_ref().map(|m| m.not_before),
        not_after: material.as_ref().map(|m| m.not_after),
        created_at: imported.is_none().then_some(row.created),
        issued_at: cx.tx.get::<CertificateSeen>(&row.arn).map(|seen| seen.issued),
        imported_at: imported,
    }
}
