//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReplaceRoute.html>

use super::create_route;
use crate::Error;
use escale_service::{Cx, Operation};
use escale_tables::ec2::RouteTable;

pub(crate) struct ReplaceRoute;

impl Operation for ReplaceRoute {
    type Input = create_route::Input;
    type Output = ();
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: create_route::Input) -> Result<(), Error> {
        let (table, route) = create_route::requested_route(cx, input)?;
        let at = table.routes.iter().position(|r| r.destination == route.destination);
        let at = at.ok_or_else(|| Error::NoRoute(table.id.to_string(), route.destination))?;
        cx.tx.update(table.id.as_str(), |t: &mut RouteTable| t.routes[at] = route);
        Ok(())
    }
}
