//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteRoute.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{RouteTable, RouteTableId, Vpc};

pub(crate) struct DeleteRoute;

#[derive(Wire)]
pub(crate) struct Input {
    route_table_id: RouteTableId,
    destination_cidr_block: Option<String>,
    destination_ipv6_cidr_block: Option<String>,
}

impl Operation for DeleteRoute {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let table = rules::find::<RouteTable>(cx, input.route_table_id.as_str())?;
        let vpc = rules::find::<Vpc>(cx, table.vpc.as_str())?;
        let (block, ipv6_block) = (input.destination_cidr_block, input.destination_ipv6_cidr_block);
        let destination =
            super::create_route::destination(cx, &vpc, block.as_deref(), ipv6_block.as_deref())?;
        let exists = table.routes.iter().any(|r| r.destination == destination);
        if !exists {
            return Err(Error::NoRoute(table.id.to_string(), destination));
        }
        cx.tx.update(table.id.as_str(), |t: &mut RouteTable| {
            t.routes.retain(|r| r.destination != destination)
        });
        Ok(())
    }
}
