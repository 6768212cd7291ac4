//! Cases of the suite that do not turn round: what a client must endure from a server is not what a server should say.

const GZIP: &str = "the suite does not give the compressed body; `random::gzip_bodies` inflates one";
const TOKEN: &str = "the client adds a token that it was not given, and the server sees it";
const EMPTY: &str = "nothing travels, so an empty value cannot be told from an absent one";
const CODE: &str = "the type of our errors stands in `__type`, where every client looks first";
const UNKNOWN: &str = "members that clients must skip, which we never send";

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
    ("json output AwsJson11IntEnums", "the answer bears a request header"),
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
    ("rest-xml output ComplexError", "an error member in a header: none of our services has one"),
    (
        "rest-xml output IgnoreQueryParamsInResponse",
        "an output member bound to the query: none of our services has one",
    ),
    (
        "rest-xml output TimestampFormatHeaders",
        "we write milliseconds into ISO 8601 headers, which every client reads",
    ),
    ("smithy-rpc-v2-cbor output RpcV2CborExtraFieldsInTheBodyShouldBeSkippedByClients", UNKNOWN),
    ("smithy-rpc-v2-cbor output RpcV2CborPayloadWithUnsetUnion", UNKNOWN),
];
