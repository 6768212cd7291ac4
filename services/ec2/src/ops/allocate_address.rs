//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AllocateAddress.html>

use crate::{
    Error, addresses,
    choices::{DomainType, ResourceType},
    rules, shapes,
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{Address, AllocationId};

pub(crate) struct AllocateAddress;

#[derive(Wire)]
pub(crate) struct Input {
    domain: Option<DomainType>,
    network_border_group: Option<String>,
    tag_specifications: Vec<shapes::TagSpecification>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) allocation_id: AllocationId,
    pub(crate) public_ip: String,
    pub(crate) public_ipv4_pool: &'static str,
    pub(crate) domain: DomainType,
    pub(crate) network_border_group: String,
}

impl Operation for AllocateAddress {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        supported_domain(input.domain)?;
        if let Some(group) = input.network_border_group.filter(|g| *g != cx.config.region) {
            let why = format!("The only network border group is {}.", cx.config.region);
            return Err(Error::invalid("networkBorderGroup", group, why));
        }
        let address = Address {
            id: AllocationId::random(),
            public_ip: addresses::public(cx.tx)?,
            association: None,
            requester: rules::service(cx),
            tags: shapes::tags_for(&input.tag_specifications, ResourceType::ElasticIp)?,
        };
        cx.tx.put(address.clone());
        Ok(Output {
            allocation_id: address.id,
            public_ip: address.public_ip.to_string(),
            public_ipv4_pool: "amazon",
            domain: DomainType::Vpc,
            network_border_group: cx.config.region.clone(),
        })
    }
}

pub(crate) fn supported_domain(domain: Option<DomainType>) -> Result<(), Error> {
    match domain {
        None | Some(DomainType::Vpc) => Ok(()),
        Some(DomainType::Standard) => {
            Err(rules::refuse_with_hint("Domain=standard", "Use Domain=vpc: AWS has retired EC2-Classic."))
        }
    }
}
