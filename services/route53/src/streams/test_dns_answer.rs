//! <https://docs.aws.amazon.com/Route53/latest/APIReference/API_TestDNSAnswer.html>

use crate::choices::RRType;
use crate::{Error, Plane, compile, names, rules, shapes, system};
use escale_base::{AwsError, Wire};
use escale_dns::{Code, View};
use escale_service::{Body, StreamCx, StreamOperation, StreamReply};
use escale_tables::route53::CanonicalName;
use std::sync::Arc;

pub(crate) struct TestDNSAnswer;

#[derive(Wire)]
pub(crate) struct Input {
    hosted_zone_id: String,
    record_name: String,
    record_type: RRType,
    #[wire("ResolverIP")]
    _resolver_ip: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    nameserver: String,
    record_name: CanonicalName,
    record_type: RRType,
    record_data: Vec<String>,
    response_code: &'static str,
    protocol: &'static str,
}

impl StreamOperation<Plane> for TestDNSAnswer {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _: &StreamCx) -> Vec<String> {
        vec![rules::zone_arn(&input.hosted_zone_id)]
    }

    /// Returns the plane's current answer: the rows may not be applied yet.
    async fn run(
        plane: Arc<Plane>,
        cx: StreamCx,
        input: Input,
        _: Body,
    ) -> Result<StreamReply<Output>, Error> {
        let zone = rules::zone(&cx.store.read(), &input.hosted_zone_id)?;
        if zone.private {
            return Err(Error::InvalidInput("TestDNSAnswer supports public hosted zones only.".to_owned()));
        }
        let kind = shapes::served_type(input.record_type)?;
        let name = rules::domain_name(&input.record_name)?;
        if !names::within(&name, &zone.name) {
            let why = format!("The name {name} is not in the hosted zone {}.", zone.name);
            return Err(Error::InvalidInput(why));
        }
        let answered = plane.0.ask(&View::Public, &names::for_plane(&name), compile::kind(kind));
        let answer = answered.map_err(|error| {
            tracing::error!(%error, %name, "cannot query the DNS plane");
            AwsError::internal()
        })?;
        let output = Output {
            nameserver: system::NAME_SERVER.trim_end_matches('.').to_owned(),
            record_name: name,
            record_type: input.record_type,
            record_data: answer.records.into_iter().map(|record| record.value).collect(),
            response_code: match answer.code {
                Code::NoError | Code::Forwarded => "NOERROR",
                Code::NoSuchName => "NXDOMAIN",
                Code::ServerFailure => "SERVFAIL",
                Code::Refused => "REFUSED",
            },
            protocol: "UDP",
        };
        Ok(output.into())
    }
}
