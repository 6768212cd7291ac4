//! The texts about the components, in French and English.

use super::Language;

pub(super) fn t(language: Language, french: &'static str, english: &'static str) -> &'static str {
    language.of(french, english)
}

/// French, English.
type Pair = (&'static str, &'static str);

pub(super) struct Component {
    pub(super) key: &'static str,
    pub(super) name: &'static str,
    pub(super) role: Pair,
    pub(super) why: Pair,
    pub(super) value: Pair,
    pub(super) advantage: Pair,
}

pub(super) const COMPONENTS: &[Component] = &[
    Component {
        key: "ecs",
        name: "Amazon ECS on Fargate",
        role: (
            "Il exécute les services de l’application dans des conteneurs et les répartit sur les zones de disponibilité.",
            "It runs the services of the application in containers, and spreads them over the availability zones.",
        ),
        why: (
            "Une équipe qui livre un produit n’a pas à administrer de serveurs : avec Fargate, il n’y en a aucun.",
            "A team that ships a product should not administer servers: with Fargate there are none.",
        ),
        value: (
            "Une tâche qui tombe est remplacée, et un déploiement défaillant est annulé, sans intervention humaine.",
            "A task that fails is replaced, and a failed deployment is undone, without anybody’s intervention.",
        ),
        advantage: (
            "On paie le processeur et la mémoire demandés, à la seconde ; doubler la capacité revient à changer un nombre.",
            "The processor and memory that are requested are billed by the second; twice the capacity is one changed number.",
        ),
    },
    Component {
        key: "alb",
        name: "Application Load Balancer",
        role: (
            "Il reçoit les requêtes des utilisateurs et les transmet aux tâches en bonne santé, selon le chemin demandé.",
            "It receives the requests of users and passes them to healthy tasks, by the requested path.",
        ),
        why: (
            "Les tâches naissent et disparaissent ; les utilisateurs ont besoin d’une adresse qui demeure.",
            "Tasks come and go; users need an address that stays.",
        ),
        value: (
            "Il vérifie chaque tâche en continu et retire celles qui ne répondent plus, avant que les utilisateurs ne s’en aperçoivent.",
            "It checks each task all the time, and removes those that no longer answer before users notice.",
        ),
        advantage: (
            "Il est présent dans plusieurs zones : la perte de l’une d’elles laisse l’entrée ouverte.",
            "It is present in several zones: the loss of one leaves the entrance open.",
        ),
    },
    Component {
        key: "nlb",
        name: "Network Load Balancer",
        role: (
            "Il reçoit les connexions des utilisateurs et les transmet aux tâches en bonne santé, sans lire leur contenu.",
            "It receives the connections of users and passes them to healthy tasks, without reading their content.",
        ),
        why: (
            "Certains protocoles ne sont pas HTTP ; leurs clients ont eux aussi besoin d’une adresse qui demeure.",
            "Some protocols are not HTTP; their clients need an address that stays, too.",
        ),
        value: (
            "Il vérifie chaque tâche en continu et n’ouvre plus de connexion vers celles qui ne répondent plus.",
            "It checks each task all the time, and opens no more connections to those that do not answer.",
        ),
        advantage: (
            "Il garde une adresse fixe par zone, que des partenaires peuvent autoriser.",
            "It keeps a fixed address in each zone, which partners can allow.",
        ),
    },
    Component {
        key: "rds",
        name: "Amazon RDS for PostgreSQL",
        role: (
            "Il conserve les données de l’application dans une base PostgreSQL, hors de portée d’Internet.",
            "It keeps the data of the application in a PostgreSQL database that the Internet cannot reach.",
        ),
        why: (
            "Les données sont ce que l’entreprise ne peut pas reconstruire : sauvegardes et réplication ne doivent dépendre de personne.",
            "Data is what a company cannot rebuild: backups and replication must not depend on anybody.",
        ),
        value: (
            "Avec un serveur de secours synchrone, la panne du serveur principal ne perd aucune écriture confirmée.",
            "With a synchronous standby, a failure of the primary loses no acknowledged write.",
        ),
        advantage: (
            "C’est PostgreSQL, un standard ouvert : l’application peut partir ailleurs avec ses données.",
            "It is PostgreSQL, an open standard: the application can leave with its data.",
        ),
    },
    Component {
        key: "s3",
        name: "Amazon S3 and CloudFront",
        role: (
            "S3 conserve les fichiers ; CloudFront les distribue depuis un point proche de chaque visiteur.",
            "S3 keeps the files; CloudFront serves them from a place near each visitor.",
        ),
        why: (
            "Servir des images depuis les tâches occuperait des ressources qui coûtent bien plus cher qu’un fichier.",
            "Images that tasks serve would occupy resources that cost far more than a file does.",
        ),
        value: (
            "Les fichiers privés restent privés : le compartiment n’accepte que la distribution, et les liens signés expirent.",
            "Private files stay private: the bucket accepts the distribution only, and signed links expire.",
        ),
        advantage: (
            "Le cache absorbe les pics : la part du trafic qui atteint l’application croît moins vite que le nombre de visiteurs.",
            "The cache absorbs peaks: the traffic that reaches the application grows more slowly than the number of visitors.",
        ),
    },
    Component {
        key: "route53",
        name: "Amazon Route 53",
        role: (
            "Il traduit le nom de domaine en adresse de la distribution.",
            "It resolves the domain name to the address of the distribution.",
        ),
        why: (
            "Le nom est la seule chose que les clients connaissent ; ce qui se trouve derrière doit pouvoir changer.",
            "The name is the only thing that customers know; what is behind it must be able to change.",
        ),
        value: (
            "Les enregistrements d’alias suivent les adresses d’AWS sans intervention.",
            "Alias records follow AWS’s addresses without intervention.",
        ),
        advantage: (
            "Le déménagement d’un composant ne change rien pour les clients.",
            "A component can move, and nothing changes for customers.",
        ),
    },
    Component {
        key: "ecr",
        name: "Amazon ECR",
        role: (
            "Il conserve les images de conteneurs, version par version.",
            "It keeps the container images, version by version.",
        ),
        why: (
            "Un registre public impose ses quotas et ses pannes ; le nôtre est dans la même région que les tâches.",
            "A public registry has quotas and outages of its own; this one is in the same region as the tasks.",
        ),
        value: (
            "Chaque version livrée reste disponible : revenir en arrière consiste à redémarrer une image connue.",
            "Each released version stays available: a rollback is the start of a known image.",
        ),
        advantage: (
            "Les droits sont ceux d’IAM : aucun mot de passe de registre ne circule.",
            "Its permissions are IAM’s: there is no registry password to pass around.",
        ),
    },
    Component {
        key: "vpc",
        name: "Amazon VPC",
        role: (
            "C’est le réseau privé de l’application, divisé en sous-réseaux publics, applicatifs et de données.",
            "It is the private network of the application, divided into public, application and data subnets.",
        ),
        why: (
            "Une faute dans l’application ne doit pas exposer la base : le réseau est la seconde barrière.",
            "A mistake in the application must not expose the database: the network is the second barrier.",
        ),
        value: (
            "Chaque flux autorisé est écrit ; tout le reste est refusé.",
            "Each permitted flow is written down; everything else is refused.",
        ),
        advantage: (
            "La règle « qui parle à qui » se lit dans ce document et se vérifie avec de vrais paquets.",
            "Who talks to whom can be read in this document, and verified with real packets.",
        ),
    },
    Component {
        key: "igw",
        name: "Internet gateway",
        role: (
            "Elle relie les sous-réseaux publics à Internet, et eux seuls.",
            "It connects the public subnets to the Internet, and only those.",
        ),
        why: (
            "L’entrée doit être unique et connue pour être surveillée.",
            "There must be one known way in, so that it can be watched.",
        ),
        value: (
            "Sans route vers elle, un sous-réseau est inaccessible, quelle que soit l’erreur de configuration d’un service.",
            "Without a route to it a subnet cannot be reached, whatever mistake a service’s configuration has.",
        ),
        advantage: (
            "Elle est redondante et sans limite de débit propre ; elle n’est pas facturée.",
            "It is redundant, has no bandwidth limit of its own, and is not billed.",
        ),
    },
    Component {
        key: "nat",
        name: "NAT gateway",
        role: (
            "Elle laisse les tâches joindre Internet, par exemple un prestataire de paiement, sans que personne puisse les joindre.",
            "It lets tasks reach the Internet, for example a payment provider, while nobody can reach them.",
        ),
        why: (
            "Les tâches ont besoin de sortir ; elles n’ont jamais besoin qu’on entre.",
            "Tasks need a way out; nobody ever needs a way in.",
        ),
        value: (
            "Les partenaires voient une adresse fixe, qu’ils peuvent autoriser.",
            "Partners see a fixed address, which they can allow.",
        ),
        advantage: (
            "Avec une passerelle par zone, la panne d’une zone ne coupe pas les autres.",
            "With one in each zone, the failure of a zone does not cut off the others.",
        ),
    },
];
