//! What S3 takes, keeps and shows again without effect.

use escale_service::Recorded;

const DISK: &str =
    "Encrypting one's own disk is the disk's work (LUKS); a key beside the data would protect nothing";

pub(crate) const RECORDED: &[Recorded] = &[
    Recorded { name: "PutObject.ServerSideEncryption", reason: DISK },
    Recorded { name: "CreateMultipartUpload.ServerSideEncryption", reason: DISK },
    Recorded { name: "CopyObject.ServerSideEncryption", reason: DISK },
    Recorded { name: "PutBucketEncryption.ServerSideEncryptionConfiguration", reason: DISK },
    Recorded { name: "AWS::S3::Bucket.BucketEncryption", reason: DISK },
    Recorded { name: "*.Tagging", reason: "Tags are for who reads them" },
    Recorded {
        name: "PutBucketPolicy.ConfirmRemoveSelfBucketAccess",
        reason: "The account's root key is never shut out, so nobody can lose a bucket to its policy",
    },
    Recorded {
        name: "AWS::S3::Bucket.AccessControl",
        reason: "Only Private is taken, which is what a bucket is",
    },
];
