//! Properties of S3's answers that its model lacks. The source of the root elements is the "Response Syntax" of each operation:
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html>.

/// The root element of an answer without a payload member.
pub(super) fn root(operation: &str) -> Option<&'static str> {
    Some(match operation {
        "CompleteMultipartUpload" => "CompleteMultipartUploadResult",
        "CreateMultipartUpload" => "InitiateMultipartUploadResult",
        "DeleteObjects" => "DeleteResult",
        "GetBucketAccelerateConfiguration" => "AccelerateConfiguration",
        "GetBucketAcl" | "GetObjectAcl" => "AccessControlPolicy",
        "GetBucketCors" => "CORSConfiguration",
        "GetBucketLifecycleConfiguration" => "LifecycleConfiguration",
        "GetBucketLocation" => "LocationConstraint",
        "GetBucketLogging" => "BucketLoggingStatus",
        "GetBucketNotificationConfiguration" => "NotificationConfiguration",
        "GetBucketRequestPayment" => "RequestPaymentConfiguration",
        "GetBucketTagging" | "GetObjectTagging" => "Tagging",
        "GetBucketVersioning" => "VersioningConfiguration",
        "GetBucketWebsite" => "WebsiteConfiguration",
        "GetObjectAttributes" => "GetObjectAttributesResponse",
        "ListBucketAnalyticsConfigurations" => "ListBucketAnalyticsConfigurationResult",
        "ListBucketIntelligentTieringConfigurations" => "ListBucketIntelligentTieringConfigurationsOutput",
        "ListBucketInventoryConfigurations" => "ListInventoryConfigurationsResult",
        "ListBucketMetricsConfigurations" => "ListMetricsConfigurationsResult",
        "ListBuckets" => "ListAllMyBucketsResult",
        "ListMultipartUploads" => "ListMultipartUploadsResult",
        "ListObjectVersions" => "ListVersionsResult",
        "ListObjects" | "ListObjectsV2" => "ListBucketResult",
        "ListParts" => "ListPartsResult",
        _ => return None,
    })
}

/// The status of success, if it is not the 200 that the model implies. Source: the sample responses of
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html> and
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketTagging.html>.
pub(super) fn status(operation: &str) -> Option<u16> {
    matches!(operation, "PutBucketPolicy" | "PutBucketTagging").then_some(204)
}

#[cfg(test)]
mod tests {
    use escale_model::{Location, service};

    #[test]
    fn every_body_has_a_root() {
        let s3 = service("s3").unwrap();
        for operation in s3.operations.values() {
            let Some(output) = operation.output.and_then(|o| s3.shape(o).structure()) else { continue };
            let body = output.members.iter().any(|m| m.location == Location::Body);
            if body && output.payload.is_none() {
                assert!(super::root(&operation.name).is_some(), "{} has no root", operation.name);
            }
        }
    }
}
