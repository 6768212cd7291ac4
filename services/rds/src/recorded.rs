//! Parameters that RDS stores and returns but that have no effect.

use escale_service::Recorded;

const CLASS: &str = "All instances share this machine's processors and memory";
const DISK: &str = "All instances share this machine's disk";
const ENCRYPTION: &str =
    "Encrypt the host's disk instead (LUKS): a key that is stored on the same disk protects nothing";
const MINOR: &str = "The installed package determines the minor version";
const INSIGHTS: &str = "Performance Insights is a view in AWS's console; the database is the same without it";
const LOGS: &str =
    "These logs never have a line here: a minor upgrade writes none, and there is no IAM authentication";
const LIFECYCLE: &str = "It selects AWS's paid support for old versions";
const CA: &str = "Connections are not encrypted: they never leave the machine";

pub(crate) const RECORDED: &[Recorded] = &[
    Recorded { name: "*.Tags", reason: "Tags are stored and returned, and have no other effect" },
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
    Recorded { name: "CreateDBInstance.CACertificateIdentifier", reason: CA },
    Recorded { name: "CreateDBInstance.EnablePerformanceInsights", reason: INSIGHTS },
    Recorded {
        name: "CreateDBInstance.EnableCloudwatchLogsExports (upgrade, iam-db-auth-error)",
        reason: LOGS,
    },
    Recorded {
        name: "CreateDBInstance.LicenseModel",
        reason: "PostgreSQL has only one license; other values are refused",
    },
    Recorded { name: "CreateDBInstance.EngineLifecycleSupport", reason: LIFECYCLE },
    Recorded { name: "CreateDBInstanceReadReplica.DBInstanceClass", reason: CLASS },
    Recorded { name: "CreateDBInstanceReadReplica.AllocatedStorage", reason: DISK },
    Recorded { name: "CreateDBInstanceReadReplica.MaxAllocatedStorage", reason: DISK },
    Recorded { name: "CreateDBInstanceReadReplica.StorageType", reason: DISK },
    Recorded { name: "CreateDBInstanceReadReplica.Iops", reason: DISK },
    Recorded { name: "CreateDBInstanceReadReplica.StorageThroughput", reason: DISK },
    Recorded { name: "CreateDBInstanceReadReplica.CACertificateIdentifier", reason: CA },
    Recorded { name: "CreateDBInstanceReadReplica.EnablePerformanceInsights", reason: INSIGHTS },
    Recorded {
        name: "CreateDBInstanceReadReplica.EnableCloudwatchLogsExports (upgrade, iam-db-auth-error)",
        reason: LOGS,
    },
    Recorded { name: "ModifyDBInstance.ApplyImmediately", reason: "Every change is applied immediately" },
    Recorded { name: "ModifyDBInstance.DBInstanceClass", reason: CLASS },
    Recorded { name: "ModifyDBInstance.AllocatedStorage", reason: DISK },
    Recorded { name: "ModifyDBInstance.MaxAllocatedStorage", reason: DISK },
    Recorded { name: "ModifyDBInstance.StorageType", reason: DISK },
    Recorded { name: "ModifyDBInstance.Iops", reason: DISK },
    Recorded { name: "ModifyDBInstance.StorageThroughput", reason: DISK },
    Recorded { name: "ModifyDBInstance.MasterUserSecretKmsKeyId", reason: ENCRYPTION },
    Recorded { name: "ModifyDBInstance.EngineVersion (after the dot)", reason: MINOR },
    Recorded { name: "ModifyDBInstance.CACertificateIdentifier", reason: CA },
    Recorded { name: "ModifyDBInstance.EnablePerformanceInsights", reason: INSIGHTS },
    Recorded {
        name: "ModifyDBInstance.CloudwatchLogsExportConfiguration (upgrade, iam-db-auth-error)",
        reason: LOGS,
    },
    Recorded { name: "ModifyDBInstance.EngineLifecycleSupport", reason: LIFECYCLE },
    Recorded {
        name: "DeleteDBInstance.DeleteAutomatedBackups",
        reason: "true is the default and is enacted; false is refused",
    },
];
