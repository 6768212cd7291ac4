//! Parameters that ECS stores and returns but that have no effect.

use escale_service::Recorded;

const INSIGHTS: &str = "containerInsights=enhanced turns on the metrics of enabled; those of single tasks and containers are not measured";
const ONE_MACHINE: &str =
    "Capacity providers differ in price and in interruptions on AWS; here all tasks run on one machine";
const PLATFORM: &str = "The version selects a release of AWS's hosts; Escale has only one platform";
const LABELS: &str = "Labels are read only by programs that inspect containers through Docker";

const EXEC: &str = "`escale exec` opens a session in every task, for the owner of the installation only; ExecuteCommand itself is refused";

pub(crate) const RECORDED: &[Recorded] = &[
    Recorded { name: "CreateCluster.settings", reason: INSIGHTS },
    Recorded { name: "UpdateCluster.settings", reason: INSIGHTS },
    Recorded { name: "CreateCluster.capacityProviders", reason: ONE_MACHINE },
    Recorded { name: "*.capacityProviderStrategy", reason: ONE_MACHINE },
    Recorded { name: "*.defaultCapacityProviderStrategy", reason: ONE_MACHINE },
    Recorded { name: "*.platformVersion", reason: PLATFORM },
    Recorded { name: "*.enableExecuteCommand", reason: EXEC },
    Recorded { name: "RegisterTaskDefinition.containerDefinitions.dockerLabels", reason: LABELS },
    Recorded {
        name: "RegisterTaskDefinition.containerDefinitions.portMappings",
        reason: "In awsvpc mode a task has its own network interface, so every port is reachable without a mapping",
    },
    Recorded {
        name: "RegisterTaskDefinition.containerDefinitions.logConfiguration.options.mode",
        reason: "Escale buffers logs in files, so a container neither blocks nor loses lines in either mode",
    },
    Recorded {
        name: "PutAccountSetting.value",
        reason: "Most settings turn on long ARNs, and Escale has no other ARNs",
    },
    Recorded {
        name: "CreateService.clientToken",
        reason: "A repeated request is refused already because the service's name is unique in its cluster",
    },
];
