//! A fake cloud for tests: this service, and parts of EC2 and Secrets Manager. Interfaces are ready at once.

use escale_base::{AwsError, Clock, Timestamp, Wire, wire::Value};
use escale_service::{
    Asked, Caller, Cloud, Config, Credential, Cx, Decision, Entry, Identity, Operation, Principal, Service,
};
use escale_store::{Image, Store, StoreError};
use escale_tables::{
    ec2::{
        DefaultSubnet, DefaultVpc, Group, GroupId, Interface, InterfaceId, InterfaceSeen, Subnet, SubnetId,
        VpcId,
    },
    rds::Instance,
};
use serde_json::json;
use std::{net::Ipv4Addr, sync::Arc};

pub(crate) struct FakeCloud {
    pub(crate) store: Store,
    pub(crate) inner: Arc<Cloud>,
    _dir: tempfile::TempDir,
}

struct AllowAll;

impl Identity for AllowAll {
    fn credential(&self, _: &Image, _: &str) -> Option<Credential> {
        None
    }
    fn decide(&self, _: &Image, _: &Caller, _: &Asked<'_>) -> Decision {
        Decision::Allow
    }
}

/// The operations of EC2 that RDS calls.
struct FakeEc2;

impl Service for FakeEc2 {
    fn id(&self) -> &'static str {
        "ec2"
    }
    fn operations(&self) -> Vec<Entry> {
        vec![
            Entry::of::<CreateNetworkInterface>("CreateNetworkInterface"),
            Entry::of::<DeleteNetworkInterface>("DeleteNetworkInterface"),
            Entry::of::<OneGroup>("ModifyNetworkInterfaceAttribute"),
            Entry::of::<OneGroup>("CreateSecurityGroup"),
            Entry::of::<OneGroup>("RevokeSecurityGroupEgress"),
            Entry::of::<OneGroup>("AuthorizeSecurityGroupEgress"),
            Entry::of::<OneGroup>("AuthorizeSecurityGroupIngress"),
            Entry::of::<OneGroup>("DeleteSecurityGroup"),
        ]
    }
}

/// A Secrets Manager that generates an empty password.
struct FakeSecretsManager;

impl Service for FakeSecretsManager {
    fn id(&self) -> &'static str {
        "secretsmanager"
    }
    fn operations(&self) -> Vec<Entry> {
        vec![
            Entry::of::<EmptyPassword>("GetRandomPassword"),
            Entry::of::<EmptyPassword>("CreateSecret"),
            Entry::of::<EmptyPassword>("PutSecretValue"),
        ]
    }
}

struct EmptyPassword;

impl Operation for EmptyPassword {
    type Input = Value;
    type Output = Value;
    type Error = AwsError;

    fn run(_: &mut Cx<'_>, _: Value) -> Result<Value, AwsError> {
        Ok(json!({"RandomPassword": "", "ARN": "arn:aws:secretsmanager:eu-west-3:000000000000:secret:rds"}))
    }
}

/// All operations on security groups return the same group.
struct OneGroup;

impl Operation for OneGroup {
    type Input = Value;
    type Output = Value;
    type Error = AwsError;

    fn run(_: &mut Cx<'_>, _: Value) -> Result<Value, AwsError> {
        Ok(json!({"GroupId": "sg-1"}))
    }
}

struct CreateNetworkInterface;

#[derive(Wire)]
struct NewInterface {
    subnet_id: SubnetId,
    groups: Vec<GroupId>,
    description: String,
}

impl Operation for CreateNetworkInterface {
    type Input = NewInterface;
    type Output = Value;
    type Error = AwsError;

    fn run(cx: &mut Cx<'_>, input: NewInterface) -> Result<Value, AwsError> {
        let subnet = cx.tx.get::<Subnet>(input.subnet_id.as_str()).expect("the test's subnet");
        let id = InterfaceId::random();
        let private_ip = Ipv4Addr::new(127, 0, 0, 1);
        cx.tx.put(Interface {
            id: id.clone(),
            vpc: subnet.vpc.clone(),
            subnet: subnet.id.clone(),
            zone: subnet.zone.clone(),
            private_ip,
            auto_public_ip: None,
            groups: input.groups,
            source_dest_check: true,
            description: input.description,
            interface_type: escale_tables::ec2::InterfaceType::Interface,
            requester: Some("rds.amazonaws.com".into()),
            tags: vec![],
            created: cx.now,
        });
        cx.tx.put(InterfaceSeen {
            id: id.clone(),
            vpc: subnet.vpc.clone(),
            public_ip: None,
            namespace: format!("/run/netns/{id}").into(),
            at: cx.now,
        });
        Ok(
            json!({"NetworkInterface": {"NetworkInterfaceId": id.as_str(), "PrivateIpAddress": private_ip.to_string()}}),
        )
    }
}

struct DeleteNetworkInterface;

#[derive(Wire)]
struct Named {
    network_interface_id: InterfaceId,
}

impl Operation for DeleteNetworkInterface {
    type Input = Named;
    type Output = ();
    type Error = AwsError;

    fn run(cx: &mut Cx<'_>, input: Named) -> Result<(), AwsError> {
        cx.tx.delete::<Interface>(input.network_interface_id.as_str());
        cx.tx.delete::<InterfaceSeen>(input.network_interface_id.as_str());
        Ok(())
    }
}

impl FakeCloud {
    pub(crate) fn new() -> FakeCloud {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("state.db"), &escale_tables::all()).unwrap();
        let clock = Clock::by_hand(Timestamp(1_700_000_000_000));
        let services: Vec<Arc<dyn Service>> =
            vec![Arc::new(crate::Rds), Arc::new(FakeEc2), Arc::new(FakeSecretsManager)];
        let cloud = Cloud::new(Arc::new(Config::default()), clock, Arc::new(AllowAll), services);
        let cloud = FakeCloud { store, inner: Arc::new(cloud), _dir: dir };
        crate::engines::store_installed(&cloud.store, &[15]).unwrap();
        cloud.create_network();
        let group = json!({"DBSubnetGroupName": "data", "DBSubnetGroupDescription": "d",
            "SubnetIds": ["subnet-a", "subnet-b"]});
        cloud.call("CreateDBSubnetGroup", group).unwrap();
        cloud
    }

    fn create_network(&self) {
        let vpc = VpcId::from("vpc-1");
        let done = self.store.write(|tx| {
            for zone in ["a", "b"] {
                tx.put(Subnet {
                    id: SubnetId(format!("subnet-{zone}")),
                    vpc: vpc.clone(),
                    cidr: "10.0.0.0/24".parse().expect("a block"),
                    zone: format!("eu-west-3{zone}").into(),
                    map_public_ip: false,
                    route_table: None,
                    tags: vec![],
                    created: Timestamp(0),
                });
            }
            tx.put(Group {
                id: GroupId::from("sg-1"),
                vpc: vpc.clone(),
                name: "default".into(),
                description: String::new(),
                tags: vec![],
            });
            Ok::<(), StoreError>(())
        });
        done.unwrap();
    }

    /// Makes the only VPC the account's default VPC.
    pub(crate) fn make_default(&self) {
        let done = self.store.write(|tx| {
            tx.put(DefaultVpc { vpc: Some(VpcId::from("vpc-1")) });
            for zone in ["a", "b"] {
                let subnet = SubnetId(format!("subnet-{zone}"));
                tx.put(DefaultSubnet { zone: format!("eu-west-3{zone}").into(), subnet });
            }
            Ok::<(), StoreError>(())
        });
        done.unwrap();
    }

    pub(crate) fn call(&self, operation: &str, input: Value) -> Result<Value, AwsError> {
        let mut caller = Caller::service("root");
        caller.principal = Principal::Root;
        self.inner.call(&self.store, &caller, "rds", operation, input)
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
