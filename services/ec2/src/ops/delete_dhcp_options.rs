//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteDhcpOptions.html>

use crate::{Error, dhcp, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{DhcpOptions, DhcpOptionsId};

pub(crate) struct DeleteDhcpOptions;

#[derive(Wire)]
pub(crate) struct Input {
    dhcp_options_id: DhcpOptionsId,
}

impl Operation for DeleteDhcpOptions {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        if input.dhcp_options_id.as_str() == dhcp::DEFAULT {
            let why = "The default DHCP options cannot be deleted.";
            return Err(Error::invalid("dhcpOptionsId", input.dhcp_options_id, why));
        }
        let options = rules::find::<DhcpOptions>(cx, input.dhcp_options_id.as_str())?;
        let used = dhcp::users_of(cx.tx, &options.id);
        if !used.is_empty() {
            return Err(Error::InUse(format!(
                "The dhcpOptions '{}' has dependencies and cannot be deleted: {}",
                options.id,
                used.join(", ")
            )));
        }
        cx.tx.delete::<DhcpOptions>(options.id.as_str());
        Ok(())
    }
}
