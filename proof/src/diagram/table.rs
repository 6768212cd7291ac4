//! Below the picture: the complete table of flows, and what the diagram does not know.

use super::layout::name_of;
use super::scene::{Ink, LEADING, PAGE, Rect, SMALL, Scene, Style, TITLE};
use super::text::wrap;
use crate::{
    graph::{Architecture, Means},
    language::Language,
};

const PAD: f64 = 12.0;
/// Shares of the width: from, to, ports, reason.
const COLUMNS: [f64; 4] = [0.22, 0.26, 0.25, 0.27];
/// The table is set in two halves if each of them is at least this wide.
const HALF_W: f64 = 430.0;
/// More unknowns than this are counted only: `--json` lists them.
const NOTES: usize = 10;

pub(super) fn flows(scene: &mut Scene, arch: &Architecture, area: Rect) -> f64 {
    let rows = rows(arch, scene.language);
    if rows.is_empty() {
        return area.y;
    }
    let title = scene.language.of("Qui parle à qui", "Who talks to whom");
    let panel = scene.block(PAGE, area, Style::Panel, title);
    scene.text(panel, (area.x + PAD, area.y + PAD + TITLE), TITLE, true, Ink::Strong, title);
    let top = area.y + PAD + TITLE * 1.8;
    let halves = if (area.w - 3.0 * PAD) / 2.0 >= HALF_W && rows.len() > 3 { 2 } else { 1 };
    let w = (area.w - (halves as f64 + 1.0) * PAD) / halves as f64;
    let headings = scene
        .language
        .of(["De", "Vers", "Ports", "En raison de"], ["From", "To", "Ports", "Because of"])
        .map(str::to_owned);
    let mut bottom: f64 = top;
    for (n, half) in rows.chunks(rows.len().div_ceil(halves)).enumerate() {
        let x = area.x + PAD + n as f64 * (w + PAD);
        let mut y = line(scene, panel, (x, top), w, &headings, Ink::Muted);
        for row in half {
            y = line(scene, panel, (x, y), w, row, Ink::Strong);
        }
        bottom = bottom.max(y);
    }
    scene.blocks[panel].rect.h = bottom + PAD - area.y;
    bottom + PAD
}

fn line(scene: &mut Scene, panel: usize, at: (f64, f64), w: f64, cells: &[String; 4], ink: Ink) -> f64 {
    let mut x = at.0;
    let mut bottom = at.1;
    for (cell, share) in cells.iter().zip(COLUMNS) {
        let mut y = at.1;
        for text in wrap(cell, SMALL, false, w * share - 8.0) {
            scene.text(panel, (x, y + SMALL), SMALL, false, ink, &text);
            y += SMALL * LEADING;
        }
        bottom = bottom.max(y);
        x += w * share;
    }
    bottom + 3.0
}

/// Flows with the same ends and the same reason are one row.
pub(super) fn rows(arch: &Architecture, language: Language) -> Vec<[String; 4]> {
    let mut rows: Vec<([String; 2], Means, Vec<String>)> = Vec::new();
    for flow in &arch.flows {
        let ends = [&flow.from, &flow.to].map(|id| name_of(arch, id, language));
        match rows.iter_mut().find(|(known, means, _)| *known == ends && *means == flow.means) {
            Some((.., ports)) => ports.push(flow.what.clone()),
            None => rows.push((ends, flow.means, vec![flow.what.clone()])),
        }
    }
    let row = |([from, to], means, ports): ([String; 2], Means, Vec<String>)| {
        [from, to, ports.join(", "), means_name(means, language).to_owned()]
    };
    rows.into_iter().map(row).collect()
}

fn means_name(means: Means, language: Language) -> &'static str {
    let french = match means {
        Means::Dns => "enregistrement DNS",
        Means::Origin => "origine",
        Means::SecurityGroups => "groupes de sécurité",
        Means::Route => "groupe de sécurité, route",
        Means::Api => "définition de tâche, rôle",
    };
    language.of(french, means.name())
}

/// What is not drawn and what is not known, one sentence each.
pub(super) fn sentences(arch: &Architecture, language: Language) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    if !arch.not_drawn.is_empty() {
        let list: Vec<String> = arch
            .not_drawn
            .iter()
            .map(|(kind, count)| format!("{count} {}", kind.trim_start_matches("AWS::").replace("::", " ")))
            .collect();
        let list = list.join(", ");
        all.push(language.of(format!("Non dessinés\u{a0}: {list}."), format!("Not drawn: {list}.")));
    }
    for unknown in arch.unknown.iter().take(NOTES) {
        let word = language.of("Ligne", "Line");
        let line = if unknown.line > 0 { format!("{word} {}: ", unknown.line) } else { String::new() };
        all.push(format!("{line}{}.", unknown.what));
    }
    if arch.unknown.len() > NOTES {
        let more = arch.unknown.len() - NOTES;
        all.push(language.of(
            format!("{more} autres\u{a0}: --json les énumère."),
            format!("{more} more: --json lists them."),
        ));
    }
    all
}

pub(super) fn notes(scene: &mut Scene, arch: &Architecture, area: Rect) -> f64 {
    let all = sentences(arch, scene.language);
    if all.is_empty() {
        return area.y - 16.0;
    }
    let title = scene.language.of("Ce que ce schéma ne montre pas", "What this diagram does not show");
    let panel = scene.block(PAGE, area, Style::Panel, title);
    let x = area.x + PAD;
    scene.text(panel, (x, area.y + PAD + TITLE), TITLE, true, Ink::Strong, title);
    let mut y = area.y + PAD + TITLE * 1.8;
    for sentence in all {
        y = scene.paragraph(panel, (x, y), area.w - 2.0 * PAD, SMALL, Ink::Muted, &sentence) + 2.0;
    }
    scene.blocks[panel].rect.h = y + PAD - area.y;
    y + PAD
}
