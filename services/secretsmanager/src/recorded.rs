//! What Secrets Manager takes, keeps and shows again without effect.

use escale_service::Recorded;

const KEY: &str =
    "The state file is protected by its permissions; encryption with a KMS key adds nothing on one machine";

pub(crate) const RECORDED: &[Recorded] = &[
    Recorded { name: "*.Tags", reason: "Tags are for who reads them" },
    Recorded { name: "*.Description", reason: "A text for who reads it" },
    Recorded { name: "CreateSecret.KmsKeyId", reason: KEY },
    Recorded { name: "UpdateSecret.KmsKeyId", reason: KEY },
    Recorded { name: "AWS::SecretsManager::Secret.KmsKeyId", reason: KEY },
    Recorded {
        name: "CreateSecret.ForceOverwriteReplicaSecret",
        reason: "There is one region, hence no replica to overwrite",
    },
];
