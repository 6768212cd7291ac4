//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReleaseAddress.html>

use crate::{Error, rules, shapes::address};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{Address, AllocationId};

pub(crate) struct ReleaseAddress;

#[derive(Wire)]
pub(crate) struct Input {
    allocation_id: Option<AllocationId>,
    public_ip: Option<String>,
}

impl Operation for ReleaseAddress {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let address = address::named(cx, input.allocation_id, input.public_ip)?;
        rules::may_touch(cx, address.requester.as_deref(), address.id.as_str())?;
        if let Some((_, interface)) = &address.association {
            return Err(Error::AddressTaken(format!(
                "Address {} ({}) is in use by {interface}. Disassociate it first.",
                address.public_ip, address.id
            )));
        }
        cx.tx.delete::<Address>(address.id.as_str());
        Ok(())
    }
}
