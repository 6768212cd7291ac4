//! A VPC: its zones as columns, its tiers as rows, and the flows between the rows.

use super::layout::{Chip, name_of, strip};
use super::scene::{Category, Glyph, Ink, LEADING, Node, PAGE, Rect, SMALL, Scene, Style, TITLE};
use super::text::wrap;
use crate::{
    graph::{ANY_ZONE, Architecture, Database, Means, Service, Subnet, Tier, Vpc},
    language::Language,
};

const PAD: f64 = 12.0;
const LABEL_W: f64 = 98.0;
const GAP: f64 = 14.0;
const CELL_PAD: f64 = 8.0;
const HEADER_NODE_W: f64 = 208.0;

/// The width of a column; with many zones they become narrower, so that the page stays legible.
fn zone_width(zones: usize) -> f64 {
    match zones {
        0..=3 => 250.0,
        4 => 212.0,
        _ => 186.0,
    }
}

pub(super) fn least_width(vpc: &Vpc) -> f64 {
    let zones = vpc.zones.len().max(1);
    2.0 * PAD + LABEL_W + zones as f64 * (zone_width(zones) + GAP) - GAP
}

/// Flows from outside into a VPC.
pub(super) fn entering(arch: &Architecture, language: Language) -> Vec<Chip> {
    let is_inside = |id: &str| row_of(arch, id).is_some();
    let flows =
        arch.flows.iter().filter(|f| f.means != Means::Dns && is_inside(&f.to) && !is_inside(&f.from));
    let flows = flows.map(|f| (f.from.as_str(), f.to.as_str(), f.what.as_str()));
    grouped(arch, flows, Glyph::Down, language)
}

/// Flows with the same ends become one chip.
fn grouped<'a>(
    arch: &Architecture,
    flows: impl Iterator<Item = (&'a str, &'a str, &'a str)>,
    direction: Glyph,
    language: Language,
) -> Vec<Chip> {
    let mut groups: Vec<(&str, &str, Vec<&str>)> = Vec::new();
    for (from, to, what) in flows {
        match groups.iter_mut().find(|(f, t, _)| *f == from && *t == to) {
            Some((.., all)) => all.push(what),
            None => groups.push((from, to, vec![what])),
        }
    }
    let text = |(from, to, all): &(&str, &str, Vec<&str>)| {
        let name = |id| name_of(arch, id, language);
        format!("{} → {} {}", name(from), name(to), all.join(", "))
    };
    groups.iter().map(|group| Chip { direction, text: text(group) }).collect()
}

/// The VPC and the highest row of a member.
fn row_of(arch: &Architecture, id: &str) -> Option<(String, Tier)> {
    let subnets = arch
        .balancers
        .iter()
        .find(|b| b.id == id)
        .map(|b| &b.subnets)
        .or_else(|| arch.services.iter().find(|s| s.id == id).map(|s| &s.subnets))
        .or_else(|| arch.databases.iter().find(|d| d.id == id).map(|d| &d.subnets))?;
    let vpc = arch.vpc_of_subnets(subnets)?;
    let tier = vpc.subnets.iter().filter(|s| subnets.contains(&s.id)).map(|s| s.tier).min()?;
    Some((vpc.id.clone(), tier))
}

/// Places the VPC below `area.y`; returns its lower edge.
pub(super) fn place(scene: &mut Scene, arch: &Architecture, vpc: &Vpc, area: Rect) -> f64 {
    let frame = scene.block(PAGE, area, Style::Frame, &vpc.name);
    let mut y = header(scene, vpc, frame, area);
    let zones = vpc.zones.len().max(1) as f64;
    let zone_w = (area.w - 2.0 * PAD - LABEL_W - (zones - 1.0) * GAP) / zones;
    let grid = Grid { frame, x: area.x + PAD, zone_w, w: area.w - 2.0 * PAD };
    y = headings(scene, vpc, &grid, y);
    let tiers: Vec<Tier> =
        Tier::ALL.into_iter().filter(|tier| vpc.subnets.iter().any(|s| s.tier == *tier)).collect();
    let strips = strips(arch, vpc, &tiers, scene.language);
    for (n, tier) in tiers.iter().enumerate() {
        y = strip(scene, frame, grid.strip(y), &strips[n]);
        y = row(scene, arch, vpc, *tier, &grid, y);
    }
    if let Some(last) = strips.last().filter(|chips| !chips.is_empty()) {
        y = strip(scene, frame, grid.strip(y), last);
    }
    y += PAD;
    scene.blocks[frame].rect.h = y - area.y;
    y
}

struct Grid {
    frame: usize,
    x: f64,
    zone_w: f64,
    w: f64,
}

impl Grid {
    /// The space of the chips between two rows: over the columns only.
    fn strip(&self, y: f64) -> Rect {
        Rect::new(self.x + LABEL_W, y, self.w - LABEL_W, 0.0)
    }

    fn column(&self, zone: usize) -> f64 {
        self.x + LABEL_W + zone as f64 * (self.zone_w + GAP)
    }
}

fn header(scene: &mut Scene, vpc: &Vpc, frame: usize, area: Rect) -> f64 {
    let most = area.w - 2.0 * PAD;
    let mut y = area.y + PAD;
    for line in wrap(&format!("VPC {} {}", vpc.name, vpc.cidr), 14.0, true, most) {
        scene.text(frame, (area.x + PAD, y + 12.0), 14.0, true, Ink::Strong, &line);
        y += 20.0;
    }
    let gateway = vpc.internet_gateway.iter().map(|id| Node {
        glyph: Glyph::Gateway,
        category: Category::Network,
        title: scene.language.of("Passerelle Internet", "Internet gateway").to_owned(),
        subs: vec![crate::graph::label(id)],
    });
    let endpoints = vpc.endpoints.iter().map(|(id, service)| Node {
        glyph: Glyph::Endpoint,
        category: Category::Network,
        title: format!("{} {service}", scene.language.of("Point de terminaison", "Endpoint")),
        subs: vec![id.clone()],
    });
    let nodes: Vec<Node> = gateway.chain(endpoints).collect();
    let fitting = ((most + GAP) / (HEADER_NODE_W + GAP)).floor().max(1.0) as usize;
    for line in nodes.chunks(fitting) {
        y += 6.0;
        let h = line.iter().map(|node| node.height(HEADER_NODE_W)).fold(0.0, f64::max);
        for (n, node) in line.iter().enumerate() {
            let x = area.x + PAD + n as f64 * (HEADER_NODE_W + GAP);
            node.place(scene, frame, Rect::new(x, y, HEADER_NODE_W, h));
        }
        y += h;
    }
    y + 10.0
}

fn headings(scene: &mut Scene, vpc: &Vpc, grid: &Grid, y: f64) -> f64 {
    let most = grid.zone_w - 2.0 * CELL_PAD;
    let name = |zone: &str| {
        if zone == ANY_ZONE { scene.language.of("zone choisie par AWS", ANY_ZONE) } else { zone }.to_owned()
    };
    let lines: Vec<Vec<String>> = vpc.zones.iter().map(|z| wrap(&name(z), TITLE, true, most)).collect();
    let tallest = lines.iter().map(Vec::len).max().unwrap_or(1) as f64;
    let h = tallest * TITLE * LEADING + 8.0;
    for (n, zone) in vpc.zones.iter().enumerate() {
        let block =
            scene.block(grid.frame, Rect::new(grid.column(n), y, grid.zone_w, h), Style::Heading, zone);
        for (i, line) in lines[n].iter().enumerate() {
            let baseline = y + 4.0 + TITLE + i as f64 * TITLE * LEADING;
            scene.centred(block, baseline, TITLE, true, Ink::Strong, line);
        }
    }
    y + h
}

/// The chips above the first row, between the rows, and below the last one.
/// What goes down, along and up between two rows.
type Directions<'a> = [Vec<(&'a str, &'a str, &'a str)>; 3];

fn strips(arch: &Architecture, vpc: &Vpc, tiers: &[Tier], language: Language) -> Vec<Vec<Chip>> {
    let row = |id: &str| {
        let (of, tier) = row_of(arch, id)?;
        (of == vpc.id).then(|| tiers.iter().position(|t| *t == tier)).flatten()
    };
    let mut sorted: Vec<Directions<'_>> = vec![Directions::default(); tiers.len() + 1];
    for flow in &arch.flows {
        let Some(from) = row(&flow.from) else { continue };
        let (at, direction) = match (flow.means, row(&flow.to)) {
            (Means::Route, _) => (from, 1),
            (Means::SecurityGroups, Some(to)) if to > from => (from + 1, 0),
            (Means::SecurityGroups, Some(to)) if to < from => (to + 1, 1),
            (Means::SecurityGroups, Some(_)) => (from + 1, 2),
            _ => continue,
        };
        sorted[at][direction].push((&flow.from, &flow.to, &flow.what));
    }
    let directions = [Glyph::Down, Glyph::Up, Glyph::Across];
    let chips = |lists: &[Vec<(&str, &str, &str)>; 3]| {
        let each = directions.iter().zip(lists);
        each.flat_map(|(direction, list)| grouped(arch, list.iter().copied(), *direction, language)).collect()
    };
    sorted.iter().map(chips).collect()
}

fn row(scene: &mut Scene, arch: &Architecture, vpc: &Vpc, tier: Tier, grid: &Grid, y: f64) -> f64 {
    let cells: Vec<Option<Cell>> =
        vpc.zones.iter().map(|zone| Cell::of(arch, vpc, tier, zone, scene.language)).collect();
    let w = grid.zone_w - 2.0 * CELL_PAD;
    let h = cells.iter().flatten().map(|cell| cell.height(w)).fold(0.0, f64::max);
    let label = wrap(tier_name(tier, scene.language), TITLE, true, LABEL_W - 12.0);
    for (n, line) in label.iter().enumerate() {
        let at = (grid.x, y + CELL_PAD + TITLE + n as f64 * TITLE * LEADING);
        scene.text(grid.frame, at, TITLE, true, Ink::Muted, line);
    }
    for (n, cell) in cells.iter().enumerate() {
        if let Some(cell) = cell {
            cell.place(scene, grid.frame, tier, Rect::new(grid.column(n), y, grid.zone_w, h));
        }
    }
    y + h.max(label.len() as f64 * TITLE * LEADING + 2.0 * CELL_PAD)
}

fn tier_name(tier: Tier, language: Language) -> &'static str {
    let french = match tier {
        Tier::Public => "Sous-réseaux publics",
        Tier::Application => "Sous-réseaux applicatifs",
        Tier::Data => "Sous-réseaux de données",
    };
    language.of(french, tier.name())
}

/// The subnets of a tier in one zone, and what runs there.
struct Cell {
    captions: Vec<String>,
    nodes: Vec<Node>,
}

impl Cell {
    fn of(arch: &Architecture, vpc: &Vpc, tier: Tier, zone: &str, language: Language) -> Option<Cell> {
        let subnets: Vec<&Subnet> = vpc.subnets.iter().filter(|s| s.tier == tier && s.zone == zone).collect();
        if subnets.is_empty() {
            return None;
        }
        let captions = subnets
            .iter()
            .map(|s| if s.is_outside { s.cidr.clone() } else { format!("{} {}", s.id, s.cidr) });
        let has = |ids: &[String]| subnets.iter().any(|s| ids.contains(&s.id));
        let mut nodes: Vec<Node> = Vec::new();
        nodes.extend(arch.balancers.iter().filter(|b| has(&b.subnets)).map(|b| balancer(b, language)));
        nodes.extend(arch.nats.iter().filter(|n| subnets.iter().any(|s| s.id == n.subnet)).map(|nat| {
            Node {
                glyph: Glyph::Nat,
                category: Category::Network,
                title: nat.id.clone(),
                subs: std::iter::once(language.of("Passerelle NAT", "NAT gateway").to_owned())
                    .chain(nat.address.clone())
                    .collect(),
            }
        }));
        nodes.extend(
            arch.services.iter().filter(|s| has(&s.subnets)).map(|s| service(arch, vpc, s, zone, language)),
        );
        nodes.extend(
            arch.databases
                .iter()
                .filter(|d| has(&d.subnets))
                .filter_map(|d| database(vpc, d, zone, language)),
        );
        Some(Cell { captions: captions.collect(), nodes })
    }

    fn lines(&self, w: f64) -> Vec<String> {
        self.captions.iter().flat_map(|caption| wrap(caption, SMALL, false, w)).collect()
    }

    fn height(&self, w: f64) -> f64 {
        let nodes: f64 = self.nodes.iter().map(|node| node.height(w) + CELL_PAD).sum();
        2.0 * CELL_PAD + self.lines(w).len() as f64 * SMALL * LEADING + nodes
    }

    fn place(&self, scene: &mut Scene, frame: usize, tier: Tier, rect: Rect) {
        let style = match tier {
            Tier::Public => Style::Public,
            Tier::Application => Style::Application,
            Tier::Data => Style::Data,
        };
        let block = scene.block(frame, rect, style, &self.captions.join(", "));
        let (x, w) = (rect.x + CELL_PAD, rect.w - 2.0 * CELL_PAD);
        let mut y = rect.y + CELL_PAD;
        for line in self.lines(w) {
            scene.text(block, (x, y + 0.85 * SMALL), SMALL, false, Ink::Muted, &line);
            y += SMALL * LEADING;
        }
        for node in &self.nodes {
            y += CELL_PAD;
            let h = node.height(w);
            node.place(scene, block, Rect::new(x, y, w, h));
            y += h;
        }
    }
}

fn balancer(balancer: &crate::graph::Balancer, language: Language) -> Node {
    let scheme = if balancer.is_internal {
        language.of("interne", "internal")
    } else {
        language.of("ouvert à Internet", "internet-facing")
    };
    let kind = if balancer.kind == "network" { "Network Load Balancer" } else { "Application Load Balancer" };
    let ports: Vec<String> =
        balancer.listeners.iter().map(|l| format!("{} {}", l.protocol, l.port)).collect();
    let listens = if ports.is_empty() {
        language.of("aucun écouteur", "no listener").to_owned()
    } else {
        format!("{} {}", language.of("écoute sur", "listens on"), ports.join(", "))
    };
    Node {
        glyph: Glyph::Balancer,
        category: Category::Network,
        title: balancer.id.clone(),
        subs: vec![
            language.of(format!("nœud de l’{kind}, {scheme}"), format!("{kind} node, {scheme}")),
            listens,
        ],
    }
}

/// The tasks of a service in a zone. ECS spreads them over the zones: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service_definition_parameters.html>
fn service(arch: &Architecture, vpc: &Vpc, service: &Service, zone: &str, language: Language) -> Node {
    let zones: Vec<&String> = vpc
        .zones
        .iter()
        .filter(|z| vpc.subnets.iter().any(|s| s.zone == **z && service.subnets.contains(&s.id)))
        .collect();
    let position = zones.iter().position(|z| z.as_str() == zone).unwrap_or_default() as u32;
    let number = zones.len().max(1) as u32;
    let here = service.count / number + u32::from(position < service.count % number);
    let mut subs = vec![language.of("service ECS sur Fargate", "ECS service on Fargate").to_owned()];
    if arch.is_live {
        let tasks: Vec<String> =
            service.tasks.iter().filter(|t| t.zone == zone).map(|t| t.address.clone()).collect();
        subs.push(share(tasks.len(), service.tasks.len(), language));
        subs.extend((!tasks.is_empty()).then(|| tasks.join(", ")));
    } else {
        subs.push(share(here as usize, service.count as usize, language));
    }
    if let (Some(vcpu), Some(memory)) = (service.vcpu, service.memory_gb) {
        subs.push(language.of(
            format!("{vcpu} vCPU et {memory} Go par tâche").replace('.', ","),
            format!("{vcpu} vCPU, {memory} GB each"),
        ));
    }
    Node { glyph: Glyph::Container, category: Category::Compute, title: service.name.clone(), subs }
}

/// How many of a service's tasks are in a zone.
fn share(here: usize, all: usize, language: Language) -> String {
    let plural = if all == 1 { "" } else { "s" };
    language.of(format!("{here} tâche{plural} sur {all} ici"), format!("{here} of {all} task{plural} here"))
}

fn database(vpc: &Vpc, database: &Database, zone: &str, language: Language) -> Option<Node> {
    let mut zones: Vec<&String> = vpc
        .zones
        .iter()
        .filter(|z| vpc.subnets.iter().any(|s| s.zone == **z && database.subnets.contains(&s.id)))
        .collect();
    // Without a zone in the template AWS chooses one; the first represents it.
    if let Some(primary) = &database.zone {
        zones.sort_by_key(|z| *z != primary);
    }
    if let Some(standby) = &database.standby_zone {
        zones.sort_by_key(|z| (Some(*z) != database.zone.as_ref(), *z != standby));
    }
    let position = zones.iter().position(|z| z.as_str() == zone)?;
    let port = database.port.map_or_else(String::new, |port| format!(", port {port}"));
    let what = format!("RDS {}, {}{port}", database.engine, database.class);
    let (glyph, role) = match (position, database.is_multi_az, database.zone.is_some()) {
        (0, _, true) => (Glyph::Database, ("serveur principal", "primary")),
        (0, true, false) => (
            Glyph::Database,
            ("serveur principal\u{a0}; AWS choisit sa zone", "primary; AWS chooses its zone"),
        ),
        (0, false, false) => (
            Glyph::Database,
            ("serveur unique\u{a0}; AWS choisit sa zone", "only server; AWS chooses its zone"),
        ),
        (1, true, _) => {
            (Glyph::Standby, ("serveur de secours, copie synchrone", "standby, synchronous copy"))
        }
        _ => return None,
    };
    Some(Node {
        glyph,
        category: Category::Database,
        title: database.id.clone(),
        subs: vec![what, language.of(role.0, role.1).to_owned()],
    })
}
