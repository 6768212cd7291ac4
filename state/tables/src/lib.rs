//! The stored rows: wishes (the desired state) and observations (the last observed state), one file per resource, grouped
//! by the service that writes them. Every service may read every table; only its own service writes it.
//!
//! **Wish and seen never share a struct.** A status is derived from both at each request, never stored. "Unknown" (no row,
//! or `None`) and "absent" (a row that says so) are different.
//!
//! **A stored struct never changes once released.** A new shape is a `mod v2` beside `mod v1`, with
//! `Row::VERSION = 2` and `Row::migrate` from version 1.

pub mod acm;
pub mod autoscaling;
pub mod cloudformation;
pub mod cloudfront;
pub mod cloudwatch;
pub mod ec2;
pub mod ecr;
pub mod ecs;
pub mod elbv2;
pub mod iam;
pub mod logs;
pub mod rds;
pub mod route53;
pub mod s3;
pub mod secretsmanager;
pub mod servicediscovery;
pub mod sns;
pub mod ssm;

use escale_store::TableDef;

escale_base::name! {
    /// The hash of a plane's specification: equal fingerprints mean equal specifications.
    Fingerprint;
    /// The principal of an AWS service: `elasticloadbalancing.amazonaws.com`.
    ServicePrincipal;
    /// The ARN of a principal, as GetCallerIdentity returns it.
    PrincipalArn;
}

/// All tables, for [`escale_store::Store::open`].
pub fn all() -> Vec<TableDef> {
    [
        acm::TABLES,
        autoscaling::TABLES,
        cloudformation::TABLES,
        cloudfront::TABLES,
        cloudwatch::TABLES,
        ec2::TABLES,
        ecr::TABLES,
        ecs::TABLES,
        elbv2::TABLES,
        iam::TABLES,
        logs::TABLES,
        rds::TABLES,
        route53::TABLES,
        s3::TABLES,
        secretsmanager::TABLES,
        servicediscovery::TABLES,
        sns::TABLES,
        ssm::TABLES,
    ]
    .concat()
}

/// Implements `Row` for a struct: the table's name, and an expression for the key.
macro_rules! row {
    ($row:ty, $table:literal, |$r:ident| $key:expr) => {
        impl escale_store::Row for $row {
            const TABLE: &'static str = $table;
            fn key(&self) -> String {
                let $r = self;
                $key
            }
        }
    };
}
pub(crate) use row;

#[cfg(test)]
mod tests {
    /// Two row types with the same table name would share a table.
    #[test]
    fn table_names_are_unique() {
        let names: Vec<&str> = super::all().iter().map(|table| table.name()).collect();
        let different: std::collections::BTreeSet<&str> = names.iter().copied().collect();
        assert_eq!(names.len(), different.len(), "{names:?}");
    }
}
