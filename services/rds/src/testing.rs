//! A cloud for tests: this service, a fake of EC2, and a part of Secrets Manager.

use escale_base::{AwsError, wire::Value};
use escale_harness::{FakeEc2, Harness};
use escale_service::{Cx, Entry, Operation, Service};
use escale_tables::{
    ec2::{DefaultSubnet, DefaultVpc, Interface, Subnet, VpcId},
    rds::Instance,
};
use serde_json::json;
use std::{ops::Deref, sync::Arc};

/// The harness with a VPC, a subnet group `data` in two of its zones, and shorter forms of frequent calls.
pub(crate) struct FakeCloud {
    pub(crate) vpc: VpcId,
    harness: Harness,
}

impl Deref for FakeCloud {
    type Target = Harness;

    fn deref(&self) -> &Harness {
        &self.harness
    }
}

/// A Secrets Manager that stores nothing.
struct FakeSecretsManager {
    /// Whether it generates a password. Else it returns an empty one.
    generates: bool,
}

impl Service for FakeSecretsManager {
    fn id(&self) -> &'static str {
        "secretsmanager"
    }
    fn operations(&self) -> Vec<Entry> {
        let random = if self.generates {
            Entry::of::<SomePassword>("GetRandomPassword")
        } else {
            Entry::of::<NoPassword>("GetRandomPassword")
        };
        let others = ["CreateSecret", "PutSecretValue", "DeleteSecret"].map(Entry::of::<NoPassword>);
        std::iter::once(random).chain(others).collect()
    }
}

struct SomePassword;
struct NoPassword;

fn secret(password: &str) -> Value {
    json!({"RandomPassword": password, "ARN": "arn:aws:secretsmanager:eu-west-3:000000000000:secret:rds"})
}

impl Operation for SomePassword {
    type Input = Value;
    type Output = Value;
    type Error = AwsError;

    fn run(_: &mut Cx<'_>, _: Value) -> Result<Value, AwsError> {
        Ok(secret("generated-by-the-fake"))
    }
}

impl Operation for NoPassword {
    type Input = Value;
    type Output = Value;
    type Error = AwsError;

    fn run(_: &mut Cx<'_>, _: Value) -> Result<Value, AwsError> {
        Ok(secret(""))
    }
}

impl FakeCloud {
    pub(crate) fn new() -> FakeCloud {
        FakeCloud::with(FakeSecretsManager { generates: false })
    }

    /// With passwords that RDS manages.
    pub(crate) fn with_managed_passwords() -> FakeCloud {
        FakeCloud::with(FakeSecretsManager { generates: true })
    }

    fn with(secrets: FakeSecretsManager) -> FakeCloud {
        let services: Vec<Arc<dyn Service>> =
            vec![Arc::new(crate::Rds), Arc::new(FakeEc2), Arc::new(secrets)];
        let harness = Harness::new(services);
        crate::engines::store_installed(&harness.store, &[15]).unwrap();
        let vpc = FakeEc2::vpc(&harness);
        let subnets = ["a", "b"].map(|zone| FakeEc2::subnet(&harness, &vpc, zone));
        let group =
            json!({"DBSubnetGroupName": "data", "DBSubnetGroupDescription": "d", "SubnetIds": subnets});
        harness.ok("CreateDBSubnetGroup", group);
        FakeCloud { vpc, harness }
    }

    /// Makes the only VPC the account's default VPC.
    pub(crate) fn make_default(&self) {
        self.write(|tx| {
            tx.put(DefaultVpc { vpc: Some(self.vpc.clone()) });
            for subnet in tx.scan::<Subnet>().collect::<Vec<_>>() {
                tx.put(DefaultSubnet { zone: subnet.zone.clone(), subnet: subnet.id.clone() });
            }
        });
    }

    pub(crate) fn create(&self, id: &str, extra: Value) -> Result<Value, AwsError> {
        let mut input = json!({
            "DBInstanceIdentifier": id, "DBInstanceClass": "db.t4g.micro", "Engine": "postgres",
            "AllocatedStorage": 20, "MasterUsername": "app", "MasterUserPassword": "correct-horse",
            "DBSubnetGroupName": "data", "EngineVersion": "15", "BackupRetentionPeriod": 0,
        });
        for (name, value) in extra.as_object().into_iter().flatten() {
            input[name] = value.clone();
        }
        self.call("CreateDBInstance", input)
    }

    /// Creates an instance and returns its row.
    pub(crate) fn instance(&self, id: &str, multi_az: bool) -> Instance {
        self.create(id, json!({"MultiAZ": multi_az})).unwrap();
        (*self.store.read().get::<Instance>(id).unwrap()).clone()
    }

    pub(crate) fn interfaces(&self) -> usize {
        self.store.read().scan::<Interface>().count()
    }
}
