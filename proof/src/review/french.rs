//! The rules in French, for documents.

use super::Pillar;

pub(super) fn pillar(pillar: Pillar) -> &'static str {
    match pillar {
        Pillar::Security => "Sécurité",
        Pillar::Reliability => "Fiabilité",
        Pillar::Operations => "Excellence opérationnelle",
        Pillar::Performance => "Efficacité des performances",
        Pillar::Cost => "Optimisation des coûts",
        Pillar::Sustainability => "Durabilité",
    }
}

/// The title and the fix of a rule.
pub(super) fn of(rule: &str) -> Option<(&'static str, &'static str)> {
    RULES.iter().find(|(id, ..)| *id == rule).map(|(_, title, fix)| (*title, *fix))
}

const RULES: &[(&str, &str, &str)] = &[
    (
        "SEC01",
        "Les bases de données n’ont pas d’adresse publique",
        "Mettre PubliclyAccessible à false et joindre la base depuis le VPC.",
    ),
    (
        "SEC02",
        "Les bases de données sont dans des sous-réseaux sans route vers une passerelle Internet",
        "Ne donner que des sous-réseaux privés au groupe de sous-réseaux de la base.",
    ),
    (
        "SEC03",
        "Les bases de données sont chiffrées au repos",
        "Mettre StorageEncrypted à true ; la base est alors remplacée.",
    ),
    (
        "SEC04",
        "Les groupes de sécurité n’ouvrent à Internet que les ports du Web",
        "N’autoriser ces ports qu’à un autre groupe de sécurité ou à des réseaux connus.",
    ),
    (
        "SEC05",
        "Les compartiments bloquent l’accès public",
        "Mettre à true les quatre membres de PublicAccessBlockConfiguration.",
    ),
    (
        "SEC06",
        "Les tâches n’ont pas d’adresse publique",
        "Mettre AssignPublicIp à DISABLED et utiliser des sous-réseaux privés.",
    ),
    (
        "SEC07",
        "Le HTTP des répartiteurs de charge est redirigé vers HTTPS",
        "Ajouter un écouteur HTTPS vers lequel l’écouteur HTTP redirige.",
    ),
    (
        "SEC08",
        "Les distributions n’acceptent que HTTPS",
        "Mettre ViewerProtocolPolicy à redirect-to-https ou https-only dans tous les comportements.",
    ),
    (
        "SEC09",
        "Les compartiments derrière une distribution sont lus avec un contrôle d’accès à l’origine",
        "Donner un OriginAccessControlId à l’origine, et au compartiment une politique pour la distribution.",
    ),
    (
        "SEC10",
        "Les secrets ne sont pas dans des variables d’environnement",
        "Placer la valeur dans Secrets Manager et la nommer dans `Secrets` du conteneur.",
    ),
    (
        "SEC11",
        "Les politiques n’autorisent pas toutes les actions sur toutes les ressources",
        "Énumérer les actions et les ressources nécessaires.",
    ),
    (
        "SEC12",
        "Le mot de passe d’une base est géré par RDS",
        "Remplacer MasterUserPassword par ManageMasterUserPassword: true.",
    ),
    (
        "SEC13",
        "Les répartiteurs de charge rejettent les en-têtes invalides",
        "Mettre l’attribut routing.http.drop_invalid_header_fields.enabled à true.",
    ),
    ("REL01", "Les bases de données ont un serveur de secours dans une autre zone", "Mettre MultiAZ à true."),
    (
        "REL02",
        "Les bases de données ont au moins sept jours de sauvegardes",
        "Mettre BackupRetentionPeriod à 7 ou plus.",
    ),
    (
        "REL03",
        "Les bases de données sont protégées contre la suppression",
        "Mettre DeletionProtection à true.",
    ),
    ("REL04", "Les bases de données survivent à leur pile", "Mettre DeletionPolicy à Snapshot ou Retain."),
    ("REL05", "Le stockage des bases de données grandit de lui-même", "Renseigner MaxAllocatedStorage."),
    ("REL06", "Les services ont au moins deux tâches", "Mettre DesiredCount à 2 ou plus."),
    (
        "REL07",
        "Les services et les répartiteurs de charge utilisent au moins deux zones",
        "Ajouter un sous-réseau d’une autre zone.",
    ),
    (
        "REL08",
        "Les sous-réseaux privés ont une passerelle NAT dans leur propre zone",
        "Ajouter une passerelle NAT et une table de routage par zone.",
    ),
    (
        "REL09",
        "Un déploiement défaillant d’un service est annulé",
        "Renseigner DeploymentCircuitBreaker avec Enable et Rollback.",
    ),
    (
        "REL10",
        "Les compartiments conservent les anciennes versions des objets",
        "Renseigner VersioningConfiguration avec Status Enabled.",
    ),
    (
        "REL11",
        "Les groupes cibles vérifient un chemin de l’application",
        "Donner à HealthCheckPath un chemin qui utilise ce dont l’application a besoin.",
    ),
    (
        "OPS01",
        "Les conteneurs écrivent des journaux",
        "Donner à chaque conteneur une LogConfiguration avec le pilote awslogs.",
    ),
    ("OPS02", "Les groupes de journaux ont une durée de conservation", "Renseigner RetentionInDays."),
    (
        "OPS03",
        "Les répartiteurs de charge et les bases de données ont une alarme",
        "Ajouter une AWS::CloudWatch::Alarm, par exemple sur UnHealthyHostCount ou FreeStorageSpace.",
    ),
    ("OPS04", "Les images ont une version fixe", "Nommer une version ou une empreinte."),
    ("PERF01", "Les distributions compressent", "Mettre Compress à true dans tous les comportements."),
    (
        "COST01",
        "Le trafic vers S3 ne passe pas par les passerelles NAT",
        "Ajouter un point de terminaison de passerelle pour S3 aux tables de routage privées ; il est gratuit.",
    ),
    ("COST02", "Les bases de données utilisent gp3", "Mettre StorageType à gp3."),
    (
        "SUS01",
        "Les tâches tournent sur ARM",
        "Construire l’image pour arm64 et mettre RuntimePlatform.CpuArchitecture à ARM64.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{language::Language, review::rules};

    #[test]
    fn each_rule_has_french_words() {
        for rule in rules() {
            let (title, fix) = of(rule.id).unwrap_or_else(|| panic!("{} has no French words", rule.id));
            assert!(title != rule.title && fix != rule.fix, "{}", rule.id);
            assert!(!title.ends_with('.') && fix.ends_with('.'), "{}", rule.id);
            assert_eq!(rule.words(Language::French), (title, fix));
        }
        assert_eq!(rules().count(), RULES.len(), "a rule of the table exists no more");
    }
}
