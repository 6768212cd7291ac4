//! The page: the way in at the top, each VPC below, regional services beside them, then the table of flows and what is not known.

use super::network;
use super::scene::{Category, Glyph, Ink, Line, Node, PAGE, Rect, SMALL, Scene, Style, TITLE};
use super::table;
use super::text::{width, wrap};
use crate::{
    graph::{Architecture, INTERNET, Means, label},
    language::Language,
};

pub(super) const MARGIN: f64 = 24.0;
const SIDE_W: f64 = 232.0;
const SIDE_GAP: f64 = 16.0;
const EDGE_W: f64 = 208.0;
const EDGE_GAP: f64 = 44.0;
const NODE_GAP: f64 = 8.0;
/// The narrowest page, for templates with little in them.
const LEAST_W: f64 = 720.0;

/// Places an architecture on a page that is as large as it needs.
pub fn layout(arch: &Architecture, language: Language) -> Scene {
    let title = format!("{} {}", language.of("Architecture de", "Architecture of"), arch.name);
    let mut scene = Scene::new(&title, language);
    let side = side(arch, language);
    let edge = edge(arch, language);
    let edge_w = edge.len() as f64 * (EDGE_W + EDGE_GAP) - EDGE_GAP;
    let networks = arch.vpcs.iter().map(network::least_width);
    let main_w = networks.fold(edge_w.max(LEAST_W), f64::max);
    let side_w = if side.is_empty() { 0.0 } else { SIDE_GAP + SIDE_W };
    let page_w = 2.0 * MARGIN + main_w + side_w;
    let top = heading(&mut scene, arch, page_w - 2.0 * MARGIN);
    let mut y = place_edge(&mut scene, &edge, top);
    let chips = network::entering(arch, language);
    y = strip(&mut scene, PAGE, Rect::new(MARGIN, y, main_w, 0.0), &chips);
    for vpc in &arch.vpcs {
        y = network::place(&mut scene, arch, vpc, Rect::new(MARGIN, y, main_w, 0.0)) + SIDE_GAP;
    }
    if !side.is_empty() {
        let area = Rect::new(MARGIN + main_w + SIDE_GAP, top, SIDE_W, 0.0);
        y = y.max(place_side(&mut scene, arch, &side, area) + SIDE_GAP);
    }
    let area = Rect::new(MARGIN, y, page_w - 2.0 * MARGIN, 0.0);
    y = table::flows(&mut scene, arch, area);
    y = table::notes(&mut scene, arch, Rect { y: y + SIDE_GAP, ..area });
    scene.blocks[PAGE].rect = Rect::new(0.0, 0.0, page_w, y + MARGIN);
    scene
}

fn heading(scene: &mut Scene, arch: &Architecture, most: f64) -> f64 {
    const SIZE: f64 = 20.0;
    let mut y = MARGIN;
    for line in wrap(&arch.name, SIZE, true, most) {
        scene.text(PAGE, (MARGIN, y + SIZE * 0.85), SIZE, true, Ink::Strong, &line);
        y += SIZE * 1.3;
    }
    let state = if arch.is_live {
        scene.language.of("telle qu’elle fonctionne en ce moment", "as it runs now")
    } else {
        scene.language.of("telle que le modèle la crée", "as the template creates it")
    };
    let text = format!("{} {}, {state}", scene.language.of("Région", "Region"), arch.region);
    scene.paragraph(PAGE, (MARGIN, y), most, TITLE, Ink::Muted, &text) + 12.0
}

/// The columns of the way in.
fn edge(arch: &Architecture, language: Language) -> Vec<Vec<Node>> {
    let node = |glyph, category, title: &str, subs: Vec<String>| Node {
        glyph,
        category,
        title: title.to_owned(),
        subs,
    };
    let zones = arch.dns_zones.iter().filter(|zone| !zone.is_private);
    let zones: Vec<Node> = zones
        .map(|zone| node(Glyph::Globe, Category::Edge, "Route 53", vec![format!("zone {}", zone.name)]))
        .collect();
    let distributions = arch.distributions.iter().map(|d| {
        let names = if d.aliases.is_empty() { vec![d.id.clone()] } else { d.aliases.clone() };
        node(Glyph::Cdn, Category::Edge, "CloudFront", vec![names.join(", ")])
    });
    let users = vec![node(
        Glyph::Users,
        Category::People,
        language.of("Utilisateurs", "Users"),
        vec![name_of(arch, INTERNET, language)],
    )];
    [users, zones, distributions.collect()].into_iter().filter(|column| !column.is_empty()).collect()
}

fn place_edge(scene: &mut Scene, columns: &[Vec<Node>], top: f64) -> f64 {
    let h = columns.iter().flatten().map(|node| node.height(EDGE_W)).fold(0.0, f64::max);
    let x_of = |column: usize| MARGIN + column as f64 * (EDGE_W + EDGE_GAP);
    for (i, column) in columns.iter().enumerate() {
        for (j, node) in column.iter().enumerate() {
            let y = top + j as f64 * (h + NODE_GAP);
            node.place(scene, PAGE, Rect::new(x_of(i), y, EDGE_W, h));
        }
        if i > 0 {
            let y = top + h / 2.0;
            scene.lines.push(Line { points: vec![(x_of(i - 1) + EDGE_W, y), (x_of(i), y)] });
        }
    }
    let tallest = columns.iter().map(Vec::len).max().unwrap_or_default() as f64;
    top + tallest * (h + NODE_GAP) - NODE_GAP
}

/// The services of the region outside of VPCs.
fn side(arch: &Architecture, language: Language) -> Vec<Node> {
    let node = |glyph, category, title: &str, id: &str| {
        let mut subs = vec![label(id)];
        for flow in arch.flows.iter().filter(|flow| flow.to == id && flow.means != Means::Dns) {
            let from = name_of(arch, &flow.from, language);
            subs.push(match flow.means {
                Means::Api => format!("{} {from}", language.of("utilisé par", "used by")),
                _ => format!("{from}: {}", flow.what),
            });
        }
        Node { glyph, category, title: title.to_owned(), subs }
    };
    let (bucket, images) =
        language.of(("Compartiment S3", "Dépôt d’images"), ("S3 bucket", "Image repository"));
    let buckets = arch.buckets.iter().map(|b| node(Glyph::Bucket, Category::Storage, bucket, &b.id));
    let images = arch.repositories.iter().map(|id| node(Glyph::Repository, Category::Compute, images, id));
    let secrets = arch.secrets.iter().map(|id| node(Glyph::Lock, Category::Security, "Secret", id));
    buckets.chain(images).chain(secrets).collect()
}

fn place_side(scene: &mut Scene, arch: &Architecture, nodes: &[Node], area: Rect) -> f64 {
    const PAD: f64 = 10.0;
    let w = area.w - 2.0 * PAD;
    let title = scene.language.of("Services régionaux", "Regional services");
    let frame = scene.block(PAGE, area, Style::Frame, title);
    let (x, mut y) = (area.x + PAD, area.y + PAD);
    scene.text(frame, (x, y + TITLE), TITLE, true, Ink::Strong, title);
    let region = format!("{} {}", scene.language.of("dans", "in"), arch.region);
    y = scene.paragraph(frame, (x, y + 1.5 * TITLE), w, SMALL, Ink::Muted, &region) + 6.0;
    for node in nodes {
        let h = node.height(w);
        node.place(scene, frame, Rect::new(x, y, w, h));
        y += h + NODE_GAP;
    }
    y = y - NODE_GAP + PAD;
    scene.blocks[frame].rect.h = y - area.y;
    y
}

/// The name that people know.
pub(super) fn name_of(arch: &Architecture, id: &str, language: Language) -> String {
    if id == INTERNET {
        return language.of("Internet", INTERNET).to_owned();
    }
    let service = arch.services.iter().find(|s| s.id == id).map(|s| s.name.clone());
    let zone = || arch.dns_zones.iter().find(|z| z.id == id).map(|z| format!("Route 53 {}", z.name));
    let edge = || arch.distributions.iter().any(|d| d.id == id).then(|| "CloudFront".to_owned());
    service.or_else(zone).or_else(edge).unwrap_or_else(|| label(id))
}

/// A flow between two rows.
pub(super) struct Chip {
    pub(super) direction: Glyph,
    pub(super) text: String,
}

const CHIP_TEXT_AT: f64 = 23.0;
const CHIP_PAD: f64 = 8.0;
const STRIP_PAD: f64 = 13.0;

/// Places the chips of a strip in lines; returns the strip's lower edge. The first line is tied to the row above, and the last one to
/// the row below.
pub(super) fn strip(scene: &mut Scene, parent: usize, area: Rect, chips: &[Chip]) -> f64 {
    const GAP: f64 = 8.0;
    if chips.is_empty() {
        return area.y + 12.0;
    }
    let most = area.w - CHIP_TEXT_AT - CHIP_PAD;
    let mut rows: Vec<Vec<(&Chip, Vec<String>, f64)>> = vec![Vec::new()];
    let mut used = 0.0;
    for chip in chips {
        let lines = wrap(&chip.text, SMALL, false, most);
        let text = lines.iter().map(|line| width(line, SMALL, false)).fold(0.0, f64::max);
        let w = text + CHIP_TEXT_AT + CHIP_PAD;
        if used + w > area.w && used > 0.0 {
            rows.push(Vec::new());
            used = 0.0;
        }
        used += w + GAP;
        if let Some(row) = rows.last_mut() {
            row.push((chip, lines, w));
        }
    }
    let mut y = area.y + STRIP_PAD;
    let heights: Vec<f64> = rows
        .iter()
        .map(|row| row.iter().map(|(_, lines, _)| chip_height(lines)).fold(0.0, f64::max))
        .collect();
    let bottom = y + heights.iter().sum::<f64>() + (rows.len() - 1) as f64 * GAP + STRIP_PAD;
    for (n, row) in rows.iter().enumerate() {
        let mut x = area.x;
        for (chip, lines, w) in row {
            let rect = Rect::new(x, y, *w, heights[n]);
            place_chip(scene, parent, rect, chip, lines);
            let middle = x + CHIP_TEXT_AT / 2.0 + 0.5;
            let ties = [(n == 0, area.y, rect.y), (n + 1 == rows.len(), rect.bottom(), bottom)];
            for (_, from, to) in ties.into_iter().filter(|(is_tied, ..)| *is_tied) {
                match chip.direction {
                    Glyph::Down => scene.lines.push(Line { points: vec![(middle, from), (middle, to)] }),
                    Glyph::Up => scene.lines.push(Line { points: vec![(middle, to), (middle, from)] }),
                    _ => {}
                }
            }
            x += w + GAP;
        }
        y += heights[n] + GAP;
    }
    bottom
}

fn chip_height(lines: &[String]) -> f64 {
    lines.len() as f64 * SMALL * 1.35 + 8.0
}

fn place_chip(scene: &mut Scene, parent: usize, rect: Rect, chip: &Chip, lines: &[String]) {
    let block = scene.block(parent, rect, Style::Chip, &chip.text);
    scene.blocks[block].mark = Some((chip.direction, Category::Network));
    let mut y = rect.y + 4.0;
    for line in lines {
        scene.text(block, (rect.x + CHIP_TEXT_AT, y + SMALL), SMALL, false, Ink::Strong, line);
        y += SMALL * 1.35;
    }
}
