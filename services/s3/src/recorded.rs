//! The parameters that S3 stores and shows without effect. `docs/coverage.md` lists the reasons.

use escale_service::Recorded;

const DISK: &str = "Disk encryption (LUKS) is a task of the host; a key that is stored next to the data would protect nothing";

pub(crate) const RECORDED: &[Recorded] = &[
    Recorded { name: "PutObject.ServerSideEncryption", reason: DISK },
    Recorded { name: "CreateMultipartUpload.ServerSideEncryption", reason: DISK },
    Recorded { name: "CopyObject.ServerSideEncryption", reason: DISK },
    Recorded { name: "PutBucketEncryption.ServerSideEncryptionConfiguration", reason: DISK },
    Recorded { name: "AWS::S3::Bucket.BucketEncryption", reason: DISK },
    Recorded { name: "*.Tagging", reason: "Tags are labels for the user; Escale does not evaluate them" },
    Recorded {
        name: "PutBucketPolicy.ConfirmRemoveSelfBucketAccess",
        reason: "A bucket policy never locks out the account's root key, so no confirmation is needed",
    },
    Recorded {
        name: "AWS::S3::Bucket.AccessControl",
        reason: "Only Private is accepted, and every bucket is private",
    },
];
