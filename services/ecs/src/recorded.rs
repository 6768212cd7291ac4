//! What ECS takes, keeps and shows again without effect.

use escale_service::Recorded;

const ONE_MACHINE: &str =
    "Capacity providers differ in price and in how easily AWS takes a machine back; there is one machine";
const PLATFORM: &str = "Versions of AWS's own hosts; Escale has one platform";
const LABELS: &str = "Labels are for who inspects containers with Docker; they are shown again";

pub(crate) const RECORDED: &[Recorded] = &[
    Recorded { name: "CreateCluster.settings", reason: "containerInsights is a paid analysis of metrics" },
    Recorded { name: "UpdateCluster.settings", reason: "containerInsights is a paid analysis of metrics" },
    Recorded { name: "CreateCluster.capacityProviders", reason: ONE_MACHINE },
    Recorded { name: "*.capacityProviderStrategy", reason: ONE_MACHINE },
    Recorded { name: "*.defaultCapacityProviderStrategy", reason: ONE_MACHINE },
    Recorded { name: "*.platformVersion", reason: PLATFORM },
    Recorded { name: "RegisterTaskDefinition.containerDefinitions.dockerLabels", reason: LABELS },
    Recorded {
        name: "RegisterTaskDefinition.containerDefinitions.portMappings",
        reason: "In awsvpc mode every port of a task is its own; a load balancer and a client name one, nothing opens it",
    },
    Recorded {
        name: "RegisterTaskDefinition.containerDefinitions.logConfiguration.options.mode",
        reason: "Logs go through files, so a container neither blocks nor loses lines in either mode",
    },
    Recorded {
        name: "RegisterTaskDefinition.containerDefinitions.versionConsistency",
        reason: "'enabled' is AWS's default; 'disabled' is refused",
    },
    Recorded { name: "PutAccountSetting.value", reason: "Long ARNs are the only ones there are" },
    Recorded {
        name: "CreateService.clientToken",
        reason: "A service's name is unique in its cluster: a repetition is refused by it",
    },
];
