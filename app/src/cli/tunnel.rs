//! `escale tunnel`: a loopback port that leads to the database or to a task of a service.
//!
//! The API and the VPC's resolver say where the target is, anew for each connection, so that a new connection follows a failover
//! or a deployment. The connection itself is opened in the target's own network namespace: no security group has to allow it.

use super::{Output, application::Application, client::Client, tasks};
use crate::{home::Home, settings::Settings};
use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use escale_network::{Forwarder, Namespace, Namespaces, Place, forward_each};
use escale_wire::Element;
use hickory_proto::{
    op::{Message, Query},
    rr::{Name, RData, RecordType},
};
use serde_json::{Value, json};
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::{TcpStream, UdpSocket},
    signal::unix::{SignalKind, signal},
};

#[derive(Args)]
pub(crate) struct Tunnel {
    /// A database or a service of the application, a service with a port if need be: `db`, `web`, `web:8000`. The default port
    /// of a service is its load balancer's target, or the first one in its task definition.
    target: String,
    /// The port on 127.0.0.1. The default is any free one, which is printed.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// The application, if several are deployed.
    #[arg(long)]
    app: Option<String>,
}

/// How long a connection inside the cloud may take. Packets travel within this machine.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// How long the VPC's resolver may take.
const RESOLVE_WITHIN: Duration = Duration::from_secs(5);

pub(crate) async fn run(home: &Home, out: &Output, tunnel: &Tunnel) -> Result<()> {
    let application = Application::find(home, tunnel.app.as_deref())?;
    let client = Client::new(home, &Settings::of(home)?);
    let target = Target::parse(&client, &application, &tunnel.target).await?;
    let name = target.to_string();
    let (mut interrupted, mut terminated) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let forwarder = open(home, &client, &application, target, tunnel.port).await?;
    let at = forwarder.local_addr();
    out.say(
        &format!("{at} leads to {name}. Ctrl-C ends the tunnel."),
        &json!({"address": at.ip().to_string(), "port": at.port(), "target": name}),
    );
    tokio::select! {
        _ = interrupted.recv() => {}
        _ = terminated.recv() => {}
    }
    forwarder.stop().await;
    Ok(())
}

/// Opens a tunnel. The first look for the target happens at once, so that a wrong target is an error here.
pub(crate) async fn open(
    home: &Home,
    client: &Client,
    application: &Application,
    target: Target,
    port: u16,
) -> Result<Forwarder> {
    let network = home.plane("network");
    let way = Arc::new(Way { client: client.clone(), application: application.clone(), network, target });
    way.find().await?;
    let listen: SocketAddr = (Ipv4Addr::LOCALHOST, port).into();
    let connect = move || {
        let way = Arc::clone(&way);
        async move {
            way.connect().await.map_err(|error| {
                // The client only sees a closed connection; the reason is printed where the tunnel runs.
                eprintln!("a connection through the tunnel failed: {error:#}");
                io::Error::other(error)
            })
        }
    };
    Ok(forward_each(listen, connect).await?)
}

/// The target of a tunnel.
pub(crate) enum Target {
    /// A database instance, by its identifier.
    Database(String),
    Service {
        name: String,
        port: u16,
    },
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Target::Database(id) => write!(f, "the database {id}"),
            Target::Service { name, port } => write!(f, "port {port} of the service {name}"),
        }
    }
}

impl Target {
    async fn parse(client: &Client, application: &Application, text: &str) -> Result<Target> {
        let (name, port) = match text.split_once(':') {
            Some((name, port)) => {
                let port: u16 =
                    port.parse().with_context(|| format!("{text}: '{port}' is not a port number"))?;
                (name, Some(port))
            }
            None => (text, None),
        };
        if let Ok(database) = database(client, application, Some(name)).await {
            if port.is_some() {
                bail!("{text}: a database has one port only. Use `escale tunnel {name}`");
            }
            return Ok(Target::Database(database.text_of("DBInstanceIdentifier").to_owned()));
        }
        let service = tasks::service(client, application, name).await?;
        let port = match port {
            Some(port) => port,
            None => default_port(client, name, &service).await?,
        };
        Ok(Target::Service { name: name.to_owned(), port })
    }
}

/// The database of this name, or `db` for the only one there is; without a name the only one.
pub(crate) async fn database(
    client: &Client,
    application: &Application,
    name: Option<&str>,
) -> Result<Element> {
    let found = client.query("rds", "DescribeDBInstances", &[]).await?;
    let prefix = format!("{}-", application.stack);
    let short = |d: &Element| d.text_of("DBInstanceIdentifier").strip_prefix(&prefix).map(str::to_owned);
    let own: Vec<(String, &Element)> =
        found.list("DBInstances").iter().filter_map(|d| Some((short(d)?, d))).collect();
    if let Some((_, found)) = own.iter().find(|(short, _)| Some(short.as_str()) == name) {
        return Ok((*found).clone());
    }
    let list = own.iter().map(|(short, _)| short.as_str()).collect::<Vec<_>>().join(", ");
    match (own.as_slice(), name) {
        ([], _) => bail!("{} has no database", application.app),
        ([(_, only)], None | Some("db")) => Ok((*only).clone()),
        (_, None) => bail!("{} has several databases. Name one of them: {list}", application.app),
        (_, Some(name)) => bail!("{} has no database '{name}'. Its databases are: {list}", application.app),
    }
}

/// The only database of an application, or `None` if it has none.
pub(crate) async fn only_database(client: &Client, application: &Application) -> Result<Option<Element>> {
    let found = client.query("rds", "DescribeDBInstances", &[]).await?;
    let prefix = format!("{}-", application.stack);
    let is_own = |d: &&Element| d.text_of("DBInstanceIdentifier").starts_with(&prefix);
    if found.list("DBInstances").iter().any(|d| is_own(&d)) {
        return database(client, application, None).await.map(Some);
    }
    Ok(None)
}

async fn default_port(client: &Client, name: &str, service: &Value) -> Result<u16> {
    let balanced = service["loadBalancers"][0]["containerPort"].as_u64();
    let port = match balanced {
        Some(port) => Some(port),
        None => {
            let asked = json!({"taskDefinition": service["taskDefinition"]});
            let found = client.json("ecs", "DescribeTaskDefinition", asked).await?;
            let containers = found["taskDefinition"]["containerDefinitions"].as_array().into_iter().flatten();
            containers.into_iter().find_map(|c| c["portMappings"][0]["containerPort"].as_u64())
        }
    };
    port.and_then(|port| u16::try_from(port).ok())
        .with_context(|| format!("the service {name} names no port. Pass one: `escale tunnel {name}:PORT`"))
}

/// Where a target is now: the namespace that has its address, and the address.
struct Located {
    namespace: Namespace,
    address: SocketAddr,
}

/// How to find the target.
struct Way {
    client: Client,
    application: Application,
    /// The folder of the network plane.
    network: PathBuf,
    target: Target,
}

impl Way {
    async fn connect(&self) -> Result<TcpStream> {
        let Located { namespace, address } = self.find().await?;
        let connecting = tokio::time::timeout(CONNECT_WITHIN, namespace.tcp_connect(address));
        let connected = connecting.await.map_err(|_| anyhow!("no answer within {CONNECT_WITHIN:?}"));
        connected
            .and_then(|c| Ok(c?))
            .with_context(|| format!("{} at {address} cannot be reached", self.target))
    }

    async fn find(&self) -> Result<Located> {
        match &self.target {
            Target::Database(id) => self.find_database(id).await,
            Target::Service { name, port } => self.find_task(name, *port).await,
        }
    }

    async fn find_database(&self, id: &str) -> Result<Located> {
        let asked = [("DBInstanceIdentifier".to_owned(), id.to_owned())];
        let found = self.client.query("rds", "DescribeDBInstances", &asked).await?;
        let instance = found.list("DBInstances").first().context("RDS returned no instance")?;
        let endpoint = instance.child("Endpoint").with_context(|| {
            format!("the database {id} has no endpoint yet: it is {}", instance.text_of("DBInstanceStatus"))
        })?;
        let vpc = instance.child("DBSubnetGroup").map_or("", |group| group.text_of("VpcId"));
        // As a client in the VPC would: after a failover the name leads to the new primary.
        let router = Namespaces::of(&self.network).open(&Place::Router(vpc.to_owned()))?;
        let (resolver, name) = (resolver(&self.client, vpc).await?, endpoint.text_of("Address"));
        let address =
            resolve(&router, resolver, name).await.with_context(|| format!("cannot resolve {name}"))?;
        let port: u16 = endpoint.text_of("Port").parse().context("the endpoint has no port")?;
        let interface =
            self.interface(&[("vpc-id", vpc), ("private-ip-address", &address.to_string())]).await?;
        self.place(&interface, address, port)
    }

    async fn find_task(&self, service: &str, port: u16) -> Result<Located> {
        let task = tasks::choose(&self.client, &self.application, service, None).await?;
        let of = |detail| task.interface(detail).context("the task has no network interface yet");
        let address: Ipv4Addr = of("privateIPv4Address")?.parse().context("the address of the task")?;
        let interface = self.interface(&[("network-interface-id", of("networkInterfaceId")?)]).await?;
        self.place(&interface, address, port)
    }

    /// The network interface that matches all of these filters.
    async fn interface(&self, filters: &[(&str, &str)]) -> Result<Element> {
        let numbered = filters.iter().zip(1..).flat_map(|((name, value), n)| {
            [
                (format!("Filter.{n}.Name"), (*name).to_owned()),
                (format!("Filter.{n}.Value.1"), (*value).to_owned()),
            ]
        });
        let found =
            self.client.query("ec2", "DescribeNetworkInterfaces", &numbered.collect::<Vec<_>>()).await?;
        let first = found.list("networkInterfaceSet").first().cloned();
        first.with_context(|| format!("{} has no network interface now", self.target))
    }

    fn place(&self, interface: &Element, address: Ipv4Addr, port: u16) -> Result<Located> {
        let place = Place::interface(interface.text_of("vpcId"), interface.text_of("networkInterfaceId"));
        Ok(Located {
            namespace: Namespaces::of(&self.network).open(&place)?,
            address: (address, port).into(),
        })
    }
}

/// The address of the VPC's resolver: <https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html>
pub(crate) async fn resolver(client: &Client, vpc: &str) -> Result<Ipv4Addr> {
    let found = client.query("ec2", "DescribeVpcs", &[("VpcId.1".to_owned(), vpc.to_owned())]).await?;
    let block = found.list("vpcSet").first().map_or("", |vpc| vpc.text_of("cidrBlock"));
    let base = block.split_once('/').and_then(|(base, _)| base.parse::<Ipv4Addr>().ok());
    let base = base.with_context(|| format!("the VPC {vpc} has no CIDR block"))?;
    // The base address plus two.
    Ok(Ipv4Addr::from(u32::from(base).wrapping_add(2)))
}

/// Asks the VPC's resolver, from a namespace of the VPC.
pub(crate) async fn resolve(inside: &Namespace, resolver: Ipv4Addr, name: &str) -> Result<Ipv4Addr> {
    let socket = inside.udp_bind((Ipv4Addr::UNSPECIFIED, 0).into()).await?;
    ask(&socket, (resolver, 53).into(), name).await
}

/// Asks a DNS server for an address of a name.
pub(crate) async fn ask(socket: &UdpSocket, server: SocketAddr, name: &str) -> Result<Ipv4Addr> {
    let mut question = Message::new();
    question.set_recursion_desired(true).add_query(Query::query(Name::from_ascii(name)?, RecordType::A));
    socket.connect(server).await?;
    socket.send(&question.to_vec()?).await?;
    let mut buffer = [0; 4096];
    // The socket is connected, and its packets do not leave this machine, so what arrives is the answer.
    let received = tokio::time::timeout(RESOLVE_WITHIN, socket.recv(&mut buffer)).await;
    let length = received
        .map_err(|_| anyhow!("the DNS server {server} does not answer. Is the daemon running?"))??;
    let answer = Message::from_vec(&buffer[..length])?;
    let address = answer.answers().iter().find_map(|record| match record.data() {
        RData::A(address) => Some(address.0),
        _ => None,
    });
    address.with_context(|| {
        format!("the DNS server {server} answers {} without an address", answer.response_code())
    })
}
