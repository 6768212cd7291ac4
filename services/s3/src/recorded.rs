//! The parameters that S3 stores and shows without effect. `docs/coverage.md` lists the reasons.

use escale_service::Recorded;

const DISK: &str =
    "Encrypt the host's disk instead (LUKS): a key that is stored on the same disk protects nothing";

const CLASSES: &str = "All objects are on one disk, whatever their storage class";

pub(crate) const RECORDED: &[Recorded] = &[
    Recorded { name: "PutObject.ServerSideEncryption", reason: DISK },
    Recorded { name: "CreateMultipartUpload.ServerSideEncryption", reason: DISK },
    Recorded { name: "CopyObject.ServerSideEncryption", reason: DISK },
    Recorded { name: "PutBucketEncryption.ServerSideEncryptionConfiguration", reason: DISK },
    Recorded { name: "AWS::S3::Bucket.BucketEncryption", reason: DISK },
    Recorded {
        name: "PutBucketLifecycleConfiguration.LifecycleConfiguration.Rules.Transitions",
        reason: CLASSES,
    },
    Recorded {
        name: "PutBucketLifecycleConfiguration.LifecycleConfiguration.Rules.NoncurrentVersionTransitions",
        reason: CLASSES,
    },
    Recorded { name: "PutBucketLifecycleConfiguration.TransitionDefaultMinimumObjectSize", reason: CLASSES },
    Recorded { name: "AWS::S3::Bucket.LifecycleConfiguration.Rules.Transitions", reason: CLASSES },
    Recorded {
        name: "AWS::S3::Bucket.LifecycleConfiguration.Rules.NoncurrentVersionTransitions",
        reason: CLASSES,
    },
    Recorded {
        name: "AWS::S3::Bucket.LifecycleConfiguration.TransitionDefaultMinimumObjectSize",
        reason: CLASSES,
    },
    Recorded { name: "*.Tagging", reason: "Tags are stored and returned, and have no other effect" },
    Recorded {
        name: "PutBucketPolicy.ConfirmRemoveSelfBucketAccess",
        reason: "A bucket policy never locks out the account's root key, so no confirmation is needed",
    },
];
