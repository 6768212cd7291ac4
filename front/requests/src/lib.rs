//! Typed requests for the calls from one service to another.
//!
//! A service does not depend on another service's crate; it calls operations as a client does, by name and in AWS's shapes.
//! Each module here has one service's shapes, reduced to the members that callers use. [`ALL`] lists them: a test compares
//! them with the operations of the running cloud.
//!
//! This crate has no behaviour. Start at [`ec2::CreateNetworkInterface`]; [`escale_service::Cx::call`] sends one.

pub mod cloudwatch;
pub mod ec2;
pub mod ecs;
pub mod elbv2;
pub mod iam;
pub mod logs;
pub mod rds;
pub mod route53;
pub mod s3;
pub mod secretsmanager;
pub mod servicediscovery;
pub mod sns;
pub mod ssm;
pub mod sts;

use escale_base::wire::Field;

/// A request of this crate, for the comparison with the operation of the same name.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub service: &'static str,
    pub name: &'static str,
    pub input: &'static [Field],
    pub answer: &'static [Field],
}

/// All requests.
pub const ALL: &[&[Shape]] = &[
    cloudwatch::SHAPES,
    ec2::SHAPES,
    ecs::SHAPES,
    elbv2::SHAPES,
    iam::SHAPES,
    logs::SHAPES,
    rds::SHAPES,
    route53::SHAPES,
    s3::SHAPES,
    secretsmanager::SHAPES,
    servicediscovery::SHAPES,
    sns::SHAPES,
    ssm::SHAPES,
    sts::SHAPES,
];

/// Implements `Request` for a service's structs, `Request => Answer`, and lists them as `SHAPES`.
macro_rules! requests {
    ($service:literal; $($request:ident => $answer:ty),+ $(,)?) => {
        $(impl escale_service::Request for $request {
            const SERVICE: &'static str = $service;
            const NAME: &'static str = stringify!($request);
            type Answer = $answer;
        })+

        pub(crate) const SHAPES: &[crate::Shape] = &[$(crate::Shape {
            service: $service,
            name: stringify!($request),
            input: <$request as escale_base::Wire>::FIELDS,
            answer: <$answer as escale_base::Wire>::FIELDS,
        }),+];
    };
}
use requests;
