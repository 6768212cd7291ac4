//! Parameters that ECR stores and returns but that have no effect.

use escale_service::Recorded;

const DISK: &str =
    "Encrypt the host's disk instead (LUKS): a key that is stored on the same disk protects nothing";

const SCANNING: &str =
    "Images are not scanned, and there are no findings: run a scanner where the images are built";

pub(crate) const RECORDED: &[Recorded] = &[
    Recorded { name: "CreateRepository.encryptionConfiguration", reason: DISK },
    Recorded { name: "AWS::ECR::Repository.EncryptionConfiguration", reason: DISK },
    Recorded { name: "CreateRepository.imageScanningConfiguration", reason: SCANNING },
    Recorded { name: "PutImageScanningConfiguration.imageScanningConfiguration", reason: SCANNING },
    Recorded { name: "AWS::ECR::Repository.ImageScanningConfiguration", reason: SCANNING },
    Recorded { name: "*.tags", reason: "Tags are stored and returned, and have no other effect" },
    Recorded {
        name: "SetRepositoryPolicy.force",
        reason: "No policy can lock out the account's root key, so a repository can always be recovered",
    },
];
