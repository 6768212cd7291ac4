//! What RDS takes, keeps and shows again without effect.

use escale_service::Recorded;

const CLASS: &str = "All instances share this machine's processors and memory";
const DISK: &str = "All instances share this machine's disk";
const ENCRYPTION: &str = "What protects the data at rest is the machine's own disk encryption";
const WINDOW: &str =
    "Nothing is maintained behind one's back: the engine changes when its package is upgraded";
const MINOR: &str = "The minor release is the installed package's";
const CA: &str = "Connections are not encrypted: they never leave the machine";

pub(crate) const RECORDED: &[Recorded] = &[
    Recorded { name: "*.Tags", reason: "Tags are for who reads them" },
    Recorded { name: "CreateDBInstance.DBInstanceClass", reason: CLASS },
    Recorded { name: "CreateDBInstance.AllocatedStorage", reason: DISK },
    Recorded { name: "CreateDBInstance.MaxAllocatedStorage", reason: DISK },
    Recorded { name: "CreateDBInstance.StorageType", reason: DISK },
    Recorded { name: "CreateDBInstance.Iops", reason: DISK },
    Recorded { name: "CreateDBInstance.StorageThroughput", reason: DISK },
    Recorded { name: "CreateDBInstance.StorageEncrypted", reason: ENCRYPTION },
    Recorded { name: "CreateDBInstance.KmsKeyId", reason: ENCRYPTION },
    Recorded { name: "CreateDBInstance.MasterUserSecretKmsKeyId", reason: ENCRYPTION },
    Recorded { name: "CreateDBInstance.EngineVersion (after the dot)", reason: MINOR },
    Recorded { name: "CreateDBInstance.AutoMinorVersionUpgrade", reason: MINOR },
    Recorded { name: "CreateDBInstance.PreferredMaintenanceWindow", reason: WINDOW },
    Recorded { name: "CreateDBInstance.CACertificateIdentifier", reason: CA },
    Recorded {
        name: "CreateDBInstance.EnablePerformanceInsights",
        reason: "It is a view of AWS's console; the database itself is the same with it and without it",
    },
    Recorded {
        name: "CreateDBInstance.EnableCloudwatchLogsExports",
        reason: "The server's log stays in the database's own folder; it is not sent to CloudWatch Logs yet",
    },
    Recorded {
        name: "CreateDBInstance.LicenseModel",
        reason: "PostgreSQL has one licence, and only it is taken",
    },
    Recorded {
        name: "CreateDBInstance.EngineLifecycleSupport",
        reason: "AWS's paid support for old versions",
    },
    Recorded { name: "ModifyDBInstance.ApplyImmediately", reason: "Every change is made at once" },
    Recorded { name: "ModifyDBInstance.DBInstanceClass", reason: CLASS },
    Recorded { name: "ModifyDBInstance.AllocatedStorage", reason: DISK },
    Recorded {
        name: "DeleteDBInstance.DeleteAutomatedBackups",
        reason: "true, the default, is enacted; false is refused",
    },
];
