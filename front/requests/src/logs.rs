//! CloudWatch Logs: <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_Operations.html>

use escale_base::Wire;

crate::requests! { "logs";
    CreateLogGroup => (),
    CreateLogStream => (),
    DescribeLogStreams => LogStreams,
    PutLogEvents => (),
}

#[derive(Clone, Debug, Wire)]
#[wire(camelCase)]
pub struct CreateLogGroup {
    pub log_group_name: String,
}

#[derive(Clone, Debug, Wire)]
#[wire(camelCase)]
pub struct CreateLogStream {
    pub log_group_name: String,
    pub log_stream_name: String,
}

#[derive(Clone, Debug, Wire)]
#[wire(camelCase)]
pub struct DescribeLogStreams {
    pub log_group_name: String,
    pub log_stream_name_prefix: String,
    pub limit: i64,
}

#[derive(Clone, Debug, Wire)]
#[wire(camelCase)]
pub struct LogStreams {
    pub log_streams: Vec<LogStream>,
}

#[derive(Clone, Debug, Wire)]
#[wire(camelCase)]
pub struct LogStream {
    pub log_stream_name: String,
    /// The number of events that the stream ever received, with leading zeros.
    pub upload_sequence_token: Option<String>,
}

#[derive(Clone, Debug, Wire)]
#[wire(camelCase)]
pub struct PutLogEvents {
    pub log_group_name: String,
    pub log_stream_name: String,
    pub log_events: Vec<LogEvent>,
}

#[derive(Clone, Debug, Wire)]
#[wire(camelCase)]
pub struct LogEvent {
    pub timestamp: i64,
    pub message: String,
}
