//! Parameters that Secrets Manager stores and returns but that have no effect.

use escale_service::Recorded;

const KEY: &str =
    "File permissions protect the state file; encryption with a KMS key adds nothing on one machine";

pub(crate) const RECORDED: &[Recorded] = &[
    Recorded { name: "*.Tags", reason: "Tags describe the resource and do not change it" },
    Recorded { name: "*.Description", reason: "A description does not change the resource" },
    Recorded { name: "CreateSecret.KmsKeyId", reason: KEY },
    Recorded { name: "UpdateSecret.KmsKeyId", reason: KEY },
    Recorded { name: "AWS::SecretsManager::Secret.KmsKeyId", reason: KEY },
    Recorded {
        name: "CreateSecret.ForceOverwriteReplicaSecret",
        reason: "Escale has only one region, so there is no replica to overwrite",
    },
];
