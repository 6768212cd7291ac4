//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteRouteTable.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{Endpoint, RouteTable, RouteTableId};

pub(crate) struct DeleteRouteTable;

#[derive(Wire)]
pub(crate) struct Input {
    route_table_id: RouteTableId,
}

impl Operation for DeleteRouteTable {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let table = rules::find::<RouteTable>(cx, input.route_table_id.as_str())?;
        let subnets = table.associations.iter().filter_map(|a| a.subnet.as_ref()).map(ToString::to_string);
        let mut used: Vec<String> = subnets.collect();
        if table.main {
            used.push(format!("it is the main route table of {}", table.vpc));
        }
        if !used.is_empty() {
            return Err(Error::InUse(format!(
                "The routeTable '{}' has dependencies and cannot be deleted: {}",
                table.id,
                used.join(", ")
            )));
        }
        let endpoints: Vec<_> =
            cx.tx.scan::<Endpoint>().filter(|e| e.route_tables.contains(&table.id)).collect();
        for endpoint in endpoints {
            cx.tx.update(endpoint.id.as_str(), |e: &mut Endpoint| e.route_tables.retain(|t| *t != table.id));
        }
        cx.tx.delete::<RouteTable>(table.id.as_str());
        Ok(())
    }
}
