//! The words that AWS shows, from wish and observation.

use escale_store::Image;
use escale_tables::ec2::{VpcId, VpcSeen};

/// A VPC is available once the plane has it.
pub(crate) fn vpc(image: &Image, id: &VpcId) -> &'static str {
    if image.has::<VpcSeen>(id.as_str()) { "available" } else { "pending" }
}
