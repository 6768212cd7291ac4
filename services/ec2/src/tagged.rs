//! Rows of all types that have tags.

use crate::{Error, choices::ResourceType, error::Kind};
use escale_base::Tag;
use escale_service::Cx;
use escale_store::Image;
use escale_tables::ec2::{
    Address, DhcpOptions, EgressOnlyInternetGateway, Endpoint, FlowLog, Group, GroupRule, Interface,
    InternetGateway, NatGateway, NetworkAcl, RouteTable, Subnet, Vpc, VpcPeering,
};

/// A row that has tags: its type and its key.
pub(crate) struct Tagged {
    kind: ResourceType,
    key: String,
}

/// The types: row, prefix of its ids, resource type on AWS.
macro_rules! tagged {
    ($($row:ty, $prefix:literal, $kind:ident);* $(;)?) => {
        impl Tagged {
            /// The row with this id.
            pub(crate) fn find(cx: &Cx<'_>, id: &str) -> Result<Tagged, Error> {
                $(
                    // A scan, because the key of a rule is more than its id.
                    if id.starts_with($prefix) {
                        let row = cx.tx.scan::<$row>().find(|r| r.id.as_str() == id);
                        let key = row.map(|r| escale_store::Row::key(r.as_ref()));
                        let key = key.ok_or_else(|| Error::NotFound(Kind::Any, id.to_owned()))?;
                        return Ok(Tagged { kind: ResourceType::$kind, key });
                    }
                )*
                Err(Error::NotFound(Kind::Any, id.to_owned()))
            }

            pub(crate) fn tags(&self, cx: &Cx<'_>) -> Vec<Tag> {
                match self.kind {
                    $(ResourceType::$kind => cx.tx.get::<$row>(&self.key).map(|r| r.tags.clone()).unwrap_or_default(),)*
                    _ => Vec::new(),
                }
            }

            pub(crate) fn write(&self, cx: &mut Cx<'_>, tags: Vec<Tag>) {
                match self.kind {
                    $(ResourceType::$kind => drop(cx.tx.update(&self.key, |r: &mut $row| r.tags = tags)),)*
                    _ => {}
                }
            }
        }

        /// All tags, each with the type and the id of its resource.
        pub(crate) fn all(image: &Image) -> Vec<(ResourceType, String, Tag)> {
            let mut all = Vec::new();
            $(
                for row in image.scan::<$row>() {
                    all.extend(row.tags.iter().map(|t| (ResourceType::$kind, row.id.to_string(), t.clone())));
                }
            )*
            all
        }
    };
}

tagged! {
    Vpc, "vpc-", Vpc;
    Subnet, "subnet-", Subnet;
    RouteTable, "rtb-", RouteTable;
    InternetGateway, "igw-", InternetGateway;
    NatGateway, "nat-", Natgateway;
    Address, "eipalloc-", ElasticIp;
    Group, "sg-", SecurityGroup;
    GroupRule, "sgr-", SecurityGroupRule;
    Interface, "eni-", NetworkInterface;
    Endpoint, "vpce-", VpcEndpoint;
    NetworkAcl, "acl-", NetworkAcl;
    DhcpOptions, "dopt-", DhcpOptions;
    FlowLog, "fl-", VpcFlowLog;
    VpcPeering, "pcx-", VpcPeeringConnection;
    EgressOnlyInternetGateway, "eigw-", EgressOnlyInternetGateway;
}
