//! Cases of the suite that do not apply to a server: a client must accept more answers than a server should send.

const GZIP: &str =
    "the suite does not give the compressed body; `random::inflates_gzip_bodies_within_the_limit` has one";
const TOKEN: &str = "the client adds a token that is not among the case's parameters";
const EMPTY: &str = "an empty value is not sent, so the server cannot distinguish it from an absent one";
const CODE: &str = "Escale sends an error's type in `__type`, which every client reads first";
const UNKNOWN: &str = "members that clients must skip, which Escale never sends";

pub(crate) const SKIPPED: &[(&str, &str)] = &[
    ("query input SDKAppliedContentEncoding_awsQuery", GZIP),
    ("query input SDKAppendsGzipAndIgnoresHttpProvidedEncoding_awsQuery", GZIP),
    ("query input QueryProtocolIdempotencyTokenAutoFill", TOKEN),
    ("query input QueryEmptyQueryMaps", EMPTY),
    ("ec2 input SDKAppliedContentEncoding_ec2Query", GZIP),
    ("ec2 input SDKAppendsGzipAndIgnoresHttpProvidedEncoding_ec2Query", GZIP),
    ("ec2 input Ec2ProtocolIdempotencyTokenAutoFill", TOKEN),
    ("ec2 input Ec2EmptyQueryLists", EMPTY),
    ("json input SDKAppliedContentEncoding_awsJson1_1", GZIP),
    ("json input SDKAppendsGzipAndIgnoresHttpProvidedEncoding_awsJson1_1", GZIP),
    ("json input SDKAppliedContentEncoding_awsJson1_0", GZIP),
    ("json input SDKAppendsGzipAndIgnoresHttpProvidedEncoding_awsJson1_0", GZIP),
    ("rest-xml input HttpPrefixHeadersAreNotPresent", EMPTY),
    ("rest-xml input SDKAppliedContentEncoding_restXml", GZIP),
    ("rest-xml input SDKAppendedGzipAfterProvidedEncoding_restXml", GZIP),
    ("rest-xml input QueryIdempotencyTokenAutoFill", TOKEN),
    ("rest-xml input RestXmlQueryPrecedence", "the client drops the key that a named member overrides"),
    ("ec2 output Ec2ComplexError", "EC2's model has no error shapes, so its errors have no members"),
    ("json output handles_unexpected_json_output", UNKNOWN),
    ("json output AwsJson11FooErrorUsingXAmznErrorType", CODE),
    ("json output AwsJson11FooErrorUsingXAmznErrorTypeWithUri", CODE),
    ("json output AwsJson11FooErrorUsingXAmznErrorTypeWithUriAndNamespace", CODE),
    ("json output AwsJson11FooErrorUsingCode", CODE),
    ("json output AwsJson11FooErrorUsingCodeAndNamespace", CODE),
    ("json output AwsJson11FooErrorUsingCodeUriAndNamespace", CODE),
    ("json output AwsJson11IntEnums", "the answer has a header of requests"),
    ("json output AwsJson11DeserializeIgnoreType", UNKNOWN),
    ("json output AwsJson10FooErrorUsingXAmznErrorType", CODE),
    ("json output AwsJson10FooErrorUsingXAmznErrorTypeWithUri", CODE),
    ("json output AwsJson10FooErrorUsingXAmznErrorTypeWithUriAndNamespace", CODE),
    ("json output AwsJson10FooErrorUsingCode", CODE),
    ("json output AwsJson10FooErrorUsingCodeAndNamespace", CODE),
    ("json output AwsJson10FooErrorUsingCodeUriAndNamespace", CODE),
    ("json output AwsJson10DeserializeIgnoreType", UNKNOWN),
    ("json output AwsJson10HandlesUnexpectedJsonOutput", UNKNOWN),
    ("rest-xml output InvalidGreetingError", UNKNOWN),
    ("rest-xml output ComplexError", "an error member in a header: no service of Escale has one"),
    (
        "rest-xml output IgnoreQueryParamsInResponse",
        "an output member bound to the query: no service of Escale has one",
    ),
    (
        "rest-xml output TimestampFormatHeaders",
        "Escale writes milliseconds into ISO 8601 headers, which every client accepts",
    ),
    ("smithy-rpc-v2-cbor output RpcV2CborExtraFieldsInTheBodyShouldBeSkippedByClients", UNKNOWN),
    ("smithy-rpc-v2-cbor output RpcV2CborPayloadWithUnsetUnion", UNKNOWN),
];
