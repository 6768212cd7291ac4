//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateRouteTable.html>

use crate::{Error, choices::ResourceType, rules, shapes};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{RouteTable, RouteTableId, Vpc, VpcId};

pub(crate) struct CreateRouteTable;

#[derive(Wire)]
pub(crate) struct Input {
    vpc_id: VpcId,
    client_token: Option<String>,
    tag_specifications: Vec<shapes::TagSpecification>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) route_table: shapes::route_table::RouteTableShape,
    pub(crate) client_token: Option<String>,
}

impl Operation for CreateRouteTable {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let vpc = rules::find::<Vpc>(cx, input.vpc_id.as_str())?;
        let table = RouteTable {
            id: RouteTableId::random(),
            vpc: vpc.id.clone(),
            main: false,
            routes: Vec::new(),
            associations: Vec::new(),
            tags: shapes::tags_for(&input.tag_specifications, ResourceType::RouteTable)?,
            created: cx.now,
        };
        cx.tx.put(table.clone());
        let route_table = shapes::route_table::route_table(cx, &table);
        Ok(Output { route_table, client_token: input.client_token })
    }
}
