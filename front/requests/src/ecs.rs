//! Services: <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Operations.html>

use escale_base::Wire;

crate::requests! { "ecs";
    UpdateService => UpdatedService,
}

#[derive(Clone, Debug, Wire)]
#[wire(camelCase)]
pub struct UpdateService {
    pub cluster: String,
    pub service: String,
    pub desired_count: u32,
}

#[derive(Clone, Debug, Wire)]
#[wire(camelCase)]
pub struct UpdatedService {
    pub service: CountedService,
}

#[derive(Clone, Debug, Wire)]
#[wire(camelCase)]
pub struct CountedService {
    pub desired_count: u32,
}
