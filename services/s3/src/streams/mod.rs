//! The operations of S3 that use the objects plane, one module each.

mod body;
mod read;

pub(crate) use body::from_plane;
pub(crate) use read::absent;

escale_service::streams! {
    crate::Buckets;
    AbortMultipartUpload => abort_multipart_upload,
    CompleteMultipartUpload => complete_multipart_upload as "s3:PutObject",
    CopyObject => copy_object as "s3:PutObject",
    CreateMultipartUpload => create_multipart_upload as "s3:PutObject",
    DeleteBucket => delete_bucket,
    DeleteObject => delete_object,
    DeleteObjectTagging => delete_object_tagging,
    DeleteObjects => delete_objects as "s3:DeleteObject",
    GetObject => get_object,
    GetObjectAttributes => get_object_attributes as "s3:GetObject",
    GetObjectTagging => get_object_tagging,
    HeadObject => head_object as "s3:GetObject",
    ListMultipartUploads => list_multipart_uploads as "s3:ListBucketMultipartUploads",
    ListObjectVersions => list_object_versions as "s3:ListBucketVersions",
    ListObjects => list_objects as "s3:ListBucket",
    ListObjectsV2 => list_objects_v2 as "s3:ListBucket",
    ListParts => list_parts as "s3:ListMultipartUploadParts",
    PutObject => put_object,
    PutObjectTagging => put_object_tagging,
    UploadPart => upload_part as "s3:PutObject",
}
