//! What ECR takes, keeps and shows again without effect.

use escale_service::Recorded;

const DISK: &str =
    "Encrypting one's own disk is the disk's work (LUKS); a key beside the data would protect nothing";

pub(crate) const RECORDED: &[Recorded] = &[
    Recorded { name: "CreateRepository.encryptionConfiguration", reason: DISK },
    Recorded { name: "AWS::ECR::Repository.EncryptionConfiguration", reason: DISK },
    Recorded { name: "*.tags", reason: "Tags are for who reads them" },
    Recorded {
        name: "SetRepositoryPolicy.force",
        reason: "The account's root key is never shut out, so nobody can lose a repository to its policy",
    },
];
