//! Databases: an encrypted RDS instance without a public address, whose password RDS generates and stores.

use super::{Sheet, get_att, network, pascal, reference, security, sub};
use crate::{
    manifest::{Database, Manifest},
    variables::{DATABASE_USER, database_name},
};
use serde_json::json;

pub(super) fn resources(sheet: &mut Sheet, manifest: &Manifest) {
    for database in &manifest.databases {
        one(sheet, manifest, database);
    }
}

fn one(sheet: &mut Sheet, manifest: &Manifest, database: &Database) {
    let name = pascal(&database.name);
    sheet.add(
        &format!("{name}SubnetGroup"),
        "AWS::RDS::DBSubnetGroup",
        json!({
            "DBSubnetGroupDescription": format!("Data subnets, for {}", database.name),
            "SubnetIds": network::subnets(manifest, "Data"),
        }),
    );
    sheet.add(
        &format!("{name}ParameterGroup"),
        "AWS::RDS::DBParameterGroup",
        json!({
            "Description": format!("Settings of {}", database.name),
            "Family": format!("postgres{}", database.engine.major()),
            // from PostgreSQL 15 on, RDS's default refuses connections without TLS
            "Parameters": {"rds.force_ssl": "0", "log_min_duration_statement": "1000"},
        }),
    );
    let id = format!("{name}Instance");
    let mut instance = json!({
        "DBInstanceIdentifier": sub(format!("${{AWS::StackName}}-{}", database.name)),
        "DBName": database_name(manifest),
        "Engine": "postgres",
        "EngineVersion": database.engine.version(),
        "DBInstanceClass": database.size,
        "AllocatedStorage": database.storage.gb.to_string(),
        "StorageType": "gp3",
        "StorageEncrypted": true,
        "MultiAZ": database.multi_az,
        "MasterUsername": DATABASE_USER,
        "ManageMasterUserPassword": true,
        "BackupRetentionPeriod": database.backups.0,
        "CopyTagsToSnapshot": true,
        "DBSubnetGroupName": reference(&format!("{name}SubnetGroup")),
        "DBParameterGroupName": reference(&format!("{name}ParameterGroup")),
        "VPCSecurityGroups": [security::id(&name)],
        "PubliclyAccessible": false,
        "DeletionProtection": manifest.environment.protect,
    });
    if let Some(most) = database.storage.max_gb {
        instance["MaxAllocatedStorage"] = most.into();
    }
    sheet.add(&id, "AWS::RDS::DBInstance", instance);
    sheet.attribute(&id, "DeletionPolicy", "Snapshot");
    sheet.attribute(&id, "UpdateReplacePolicy", "Snapshot");
    sheet.output(&format!("{name}Endpoint"), "The database's DNS name", get_att(&id, "Endpoint.Address"));
    sheet.output(&format!("{name}Identifier"), "The database's identifier", reference(&id));
}
