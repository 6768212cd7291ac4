//! Each service's error codes for the faults that the wire layer and the gate find. An operation's own error codes are in
//! its service.

use crate::Target;
use escale_base::{AwsError, ErrorKind, path::BadEncoding};
use escale_model::{OtherService, Protocol, ServiceModel};

/// Characters of a wrong value that its error repeats: enough to recognize the value.
const FOUND_CHARS: usize = 256;

/// A request whose bytes do not have the form of the operation's input.
#[derive(Debug, PartialEq)]
pub(crate) enum Malformed {
    /// The body is not valid JSON, XML or CBOR, not a form, or nested too deeply.
    Body(String),
    /// The value at `at` is not of the kind that the model requires.
    Value { at: String, found: String, wanted: &'static str },
    /// EC2 only: a parameter that the operation does not have.
    Unknown(String),
    /// A label of the path cannot be decoded.
    Uri(BadEncoding),
}

impl Malformed {
    pub(crate) fn value(at: &str, found: &str, wanted: &'static str) -> Malformed {
        // The error repeats the value: one of megabytes must not cause an answer of megabytes.
        let found = found.chars().take(FOUND_CHARS).collect();
        Malformed::Value { at: at.to_owned(), found, wanted }
    }

    /// Prepends the name of the enclosing member to the path.
    pub(crate) fn below(self, step: &str) -> Malformed {
        match self {
            Malformed::Value { at, found, wanted } => {
                let at = if at.is_empty() { step.to_owned() } else { format!("{step}.{at}") };
                Malformed::Value { at, found, wanted }
            }
            other => other,
        }
    }

    pub(crate) fn into_error(self, target: &Target) -> AwsError {
        match target.protocol {
            Protocol::Json | Protocol::Cbor => {
                AwsError::new(ErrorKind::Invalid, "SerializationException", 400, self.sentence())
            }
            Protocol::Ec2 => match self {
                Malformed::Unknown(name) => {
                    let message = format!("The parameter {name} is not recognized");
                    AwsError::new(ErrorKind::Invalid, "UnknownParameter", 400, message)
                }
                Malformed::Value { at, found, .. } => {
                    let message = format!("Invalid value '{found}' for {at}");
                    AwsError::new(ErrorKind::Invalid, "InvalidParameterValue", 400, message)
                }
                Malformed::Body(_) | Malformed::Uri(_) => {
                    AwsError::new(ErrorKind::Invalid, "InvalidRequest", 400, self.sentence())
                }
            },
            Protocol::Query => AwsError::new(ErrorKind::Invalid, "MalformedInput", 400, self.sentence()),
            Protocol::RestXml => self.into_rest(target.service),
        }
    }

    fn into_rest(self, service: &ServiceModel) -> AwsError {
        let code = match (service.id, &self) {
            ("s3", Malformed::Value { .. }) => "InvalidArgument",
            ("s3" | "s3control", Malformed::Uri(_)) => "InvalidURI",
            ("s3" | "s3control", _) => "MalformedXML",
            ("cloudfront", _) => "MalformedInput",
            _ => "InvalidInput",
        };
        let message = match &self {
            Malformed::Body(_) if code == "MalformedXML" => {
                "The XML you provided was not well-formed or did not validate against our published schema"
                    .into()
            }
            _ => self.sentence(),
        };
        AwsError::new(ErrorKind::Invalid, code, 400, message)
    }

    fn sentence(&self) -> String {
        match self {
            Malformed::Body(what) => what.clone(),
            Malformed::Value { at, found, wanted } if at.is_empty() => {
                format!("{found} can not be converted to {wanted}")
            }
            Malformed::Value { at, found, wanted } => {
                format!("{at}: {found} can not be converted to {wanted}")
            }
            Malformed::Unknown(name) => format!("The parameter {name} is not recognized"),
            Malformed::Uri(why) => format!("Couldn't parse the specified URI: {why}."),
        }
    }
}

/// The code of an input that breaks the model's constraints.
pub(crate) fn validation_code(service: &ServiceModel, protocol: Protocol) -> &'static str {
    match service.id {
        "ecs" | "ecr" | "logs" | "resourcegroupstaggingapi" => "InvalidParameterException",
        "route53" | "servicediscovery" => "InvalidInput",
        "cloudfront" => "InvalidArgument",
        "s3" => "InvalidArgument",
        "s3control" => "InvalidRequest",
        "cloudwatch" if protocol != Protocol::Query => "InvalidParameterValueException",
        "cloudwatch" => "InvalidParameterValue",
        _ if service.speaks(Protocol::Json) => "ValidationException",
        _ => "ValidationError",
    }
}

/// A service that AWS has and Escale does not.
pub(crate) fn other_service(service: &OtherService) -> AwsError {
    AwsError::not_supported(format_args!("The service {}", service.name))
}

/// The model has no operation of this name, or none at this path. If AWS has it, the error names it; otherwise it is AWS's own
/// error.
pub fn unknown_operation(target: &Target, name: &str) -> AwsError {
    let service = target.service;
    if service.leaves_out(name) {
        return AwsError::not_supported(format_args!("The operation {}:{name}", service.id));
    }
    match target.protocol {
        Protocol::Json => AwsError::new(
            ErrorKind::Invalid,
            "UnknownOperationException",
            400,
            format!("{}.{name}", service.id),
        ),
        Protocol::Cbor => AwsError::new(
            ErrorKind::Invalid,
            "UnknownOperationException",
            404,
            format!("{}.{name}", service.id),
        ),
        Protocol::Ec2 => {
            let message = format!("The action {name} is not valid for this web service.");
            AwsError::new(ErrorKind::Invalid, "InvalidAction", 400, message)
        }
        Protocol::Query => {
            let message = format!("Could not find operation {name} for version {}", service.api_version);
            AwsError::new(ErrorKind::Invalid, "InvalidAction", 400, message)
        }
        Protocol::RestXml if service.id == "s3" => {
            let message = "The specified method is not allowed against this resource.";
            AwsError::new(ErrorKind::Invalid, "MethodNotAllowed", 405, message)
        }
        Protocol::RestXml => AwsError::new(
            ErrorKind::Invalid,
            "UnknownOperationException",
            404,
            format!("{} has no operation {name}", service.id),
        ),
    }
}

pub(crate) fn no_target_header(service: &ServiceModel) -> AwsError {
    let message =
        format!("{} reads the operation from the header X-Amz-Target, which is missing", service.id);
    AwsError::new(ErrorKind::Invalid, "MissingAction", 400, message)
}

/// An operation that requires a signature was called without one.
pub fn missing_authentication(target: &Target) -> AwsError {
    match (target.service.id, target.protocol) {
        ("s3", _) => AwsError::new(ErrorKind::Denied, "AccessDenied", 403, "Access Denied"),
        ("ec2", _) => AwsError::new(
            ErrorKind::Denied,
            "AuthFailure",
            401,
            "AWS was not able to validate the provided access credentials",
        ),
        (_, Protocol::Json | Protocol::Cbor) => AwsError::new(
            ErrorKind::Denied,
            "MissingAuthenticationTokenException",
            400,
            "Missing Authentication Token",
        ),
        _ => AwsError::new(
            ErrorKind::Denied,
            "MissingAuthenticationToken",
            403,
            "Request is missing Authentication Token",
        ),
    }
}

/// The access key does not exist, or its session token is wrong.
pub fn unknown_access_key(target: &Target, access_key: &str) -> AwsError {
    let invalid = "The security token included in the request is invalid.";
    match (target.service.id, target.protocol) {
        ("s3" | "s3control", _) => {
            let message = "The AWS Access Key Id you provided does not exist in our records.";
            AwsError::new(ErrorKind::Denied, "InvalidAccessKeyId", 403, message)
                .with("AWSAccessKeyId", access_key)
        }
        ("ec2", _) => AwsError::new(
            ErrorKind::Denied,
            "AuthFailure",
            401,
            "AWS was not able to validate the provided access credentials",
        ),
        (_, Protocol::Json | Protocol::Cbor) => {
            AwsError::new(ErrorKind::Denied, "UnrecognizedClientException", 400, invalid)
        }
        _ => AwsError::new(ErrorKind::Denied, "InvalidClientTokenId", 403, invalid),
    }
}

/// The caller may not do this. `message` names the caller, the action and the resource.
pub fn access_denied(target: &Target, message: impl Into<String>) -> AwsError {
    match (target.service.id, target.protocol) {
        ("ec2", _) => AwsError::new(ErrorKind::Denied, "UnauthorizedOperation", 403, message),
        (_, Protocol::Json | Protocol::Cbor) => {
            AwsError::new(ErrorKind::Denied, "AccessDeniedException", 400, message)
        }
        _ => AwsError::new(ErrorKind::Denied, "AccessDenied", 403, message),
    }
}

/// The memory for request bodies is exhausted. Clients retry after a pause.
pub fn too_busy(target: &Target) -> AwsError {
    let (code, message) = match (target.service.id, target.protocol) {
        ("s3" | "s3control", _) => ("SlowDown", "Please reduce your request rate."),
        ("ec2", _) => ("RequestLimitExceeded", "Request limit exceeded."),
        (_, Protocol::Json | Protocol::Cbor) => ("ThrottlingException", "Rate exceeded"),
        _ => ("Throttling", "Rate exceeded"),
    };
    AwsError::new(ErrorKind::Throttled, code, 503, message)
}

/// The body did not arrive in time.
pub fn too_slow(target: &Target) -> AwsError {
    let message = "Your socket connection to the server was not read from or written to within the timeout period. Idle \
                   connections will be closed.";
    AwsError::new(
        ErrorKind::Invalid,
        "RequestTimeout",
        if target.service.id == "s3" { 400 } else { 408 },
        message,
    )
}

/// The signature does not match the secret.
pub(crate) fn signature_mismatch(target: &Target, message: impl Into<String>) -> AwsError {
    match (target.service.id, target.protocol) {
        ("ec2", _) => AwsError::new(ErrorKind::Denied, "AuthFailure", 401, message),
        (_, Protocol::Json | Protocol::Cbor) => {
            AwsError::new(ErrorKind::Denied, "InvalidSignatureException", 400, message)
        }
        _ => AwsError::new(ErrorKind::Denied, "SignatureDoesNotMatch", 403, message),
    }
}

/// The signature lacks a part.
pub(crate) fn incomplete_signature(target: &Target, message: impl Into<String>) -> AwsError {
    match (target.service.id, target.protocol) {
        ("s3", _) => AwsError::new(ErrorKind::Invalid, "AuthorizationHeaderMalformed", 400, message),
        (_, Protocol::Json | Protocol::Cbor) => {
            AwsError::new(ErrorKind::Denied, "IncompleteSignatureException", 400, message)
        }
        _ => AwsError::new(ErrorKind::Denied, "IncompleteSignature", 400, message),
    }
}
