//! Parameters that ECR stores and returns but that have no effect.

use escale_service::Recorded;

const DISK: &str = "Disk encryption (LUKS) protects the data; a key on the same disk would protect nothing";

pub(crate) const RECORDED: &[Recorded] = &[
    Recorded { name: "CreateRepository.encryptionConfiguration", reason: DISK },
    Recorded { name: "AWS::ECR::Repository.EncryptionConfiguration", reason: DISK },
    Recorded { name: "*.tags", reason: "Tags describe the resource and do not change it" },
    Recorded {
        name: "SetRepositoryPolicy.force",
        reason: "No policy can lock out the account's root key, so a repository can always be recovered",
    },
];
