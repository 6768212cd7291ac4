//! The evidence: cost, reachability, and the measurements that were given.

use super::{Input, Measurement, has_private_parts, html::Page, words::t};
use serde_json::Value;

pub(super) fn all(page: &mut Page, input: &Input<'_>) {
    cost(page, input);
    reachability(page, input);
    review(page, input);
    section(
        page,
        input,
        ("Pannes provoquées", "Drills"),
        ("sudo escale drill db --json > drill-db.json", "escale report --evidence drill-db.json"),
        input.measurements.iter().filter(|m| m.is_of_a_drill() && m.value["drill"] != "load").collect(),
        &[
            ("requêtes", "requests", "/requests", ""),
            ("requêtes en échec", "failed requests", "/failed_requests", ""),
            ("lignes confirmées", "acknowledged rows", "/rows_acknowledged", ""),
            ("lignes perdues (point de reprise)", "lost rows (recovery point)", "/rows_lost", ""),
            (
                "retour pour les utilisateurs (temps de reprise)",
                "users are fine again (recovery time)",
                "/users_fine_ms",
                "ms",
            ),
        ],
    );
    section(
        page,
        input,
        ("Montée en charge", "Scaling"),
        ("sudo escale drill load --json > drill-load.json", "escale report --evidence drill-load.json"),
        input.measurements.iter().filter(|m| m.value["drill"] == "load").collect(),
        &[
            ("requêtes", "requests", "/requests", ""),
            ("requêtes en échec", "failed requests", "/failed_requests", ""),
            ("médiane", "median", "/p50_ms", "ms"),
            ("le pour cent le plus lent, à partir de", "the slowest one percent, from", "/p99_ms", "ms"),
        ],
    );
    section(
        page,
        input,
        ("Sauvegardes", "Backups"),
        ("escale snapshot --list --json > backups.json", "escale report --evidence backups.json"),
        input.measurements.iter().filter(|m| m.is_of_backups()).collect(),
        &[(
            "retard de la dernière sauvegarde (point de reprise)",
            "age of the latest backup (recovery point)",
            "/recovery_point_seconds",
            "s",
        )],
    );
    section(
        page,
        input,
        ("Restauration", "Restore"),
        ("escale restore --latest --json > restore.json", "escale report --evidence restore.json"),
        input.measurements.iter().filter(|m| m.is_of_a_restore()).collect(),
        &[("durée (temps de reprise)", "duration (recovery time)", "/restore_seconds", "s")],
    );
    administered(page, input);
}

/// A section of measurements; without one it says how to make it.
fn section(
    page: &mut Page,
    input: &Input<'_>,
    title: (&'static str, &'static str),
    commands: (&str, &str),
    found: Vec<&Measurement>,
    members: &[(&'static str, &'static str, &str, &str)],
) {
    page.open("section");
    page.subheading(t(input.language, title.0, title.1));
    if found.is_empty() {
        page.paragraph(t(
            input.language,
            "Aucune mesure n’a été fournie. Pour en faire une :",
            "No measurement was given. To make one:",
        ));
        page.code(&[commands.0, commands.1]);
    }
    for measurement in found {
        // A drill's kind, a database, or an application.
        let of = ["drill", "database", "app"].into_iter().find_map(|key| measurement.value[key].as_str());
        let name = of.unwrap_or_default();
        page.labelled(t(input.language, "Mesure", "Measurement"), name);
        page.open("table");
        for (french, english, path, unit) in members {
            let Some(value) = measurement.value.pointer(path).filter(|v| v.is_number()) else { continue };
            page.open("tr");
            page.cell(t(input.language, french, english));
            let text =
                if unit.is_empty() { page.number(value) } else { format!("{} {unit}", page.number(value)) };
            page.figure_cell(&text, &measurement.id);
            page.close("tr");
        }
        page.close("table");
    }
    page.close("section");
}

fn cost(page: &mut Page, input: &Input<'_>) {
    page.open("section");
    page.subheading(t(input.language, "Coût mensuel", "Monthly cost"));
    page.open("table");
    for (what, bill) in [
        (t(input.language, "aujourd’hui", "today"), input.bill),
        (
            t(
                input.language,
                "avec un trafic décuplé, à capacité égale",
                "with ten times the traffic, at the same capacity",
            ),
            input.bill_at_ten,
        ),
    ] {
        page.open("tr");
        page.cell(what);
        let text = page.money(bill.total_usd);
        page.figure_cell(&text, &format!("escale cost, {}, proof/prices.json", bill.region));
        page.close("tr");
    }
    page.close("table");
    if !input.bill.unknown.is_empty() {
        page.paragraph(t(
            input.language,
            "Le total ne contient pas les éléments dont le prix n’a pas de source ; ils sont listés à la fin.",
            "The total lacks the items whose price has no source; they are listed at the end.",
        ));
    }
    items(page, input);
    page.labelled(
        t(input.language, "Redondance", "Redundancy"),
        t(input.language, "Sa part de ce prix, par ressource :", "Its part of that price, by resource:"),
    );
    page.open("table");
    for redundancy in &input.bill.redundancies {
        page.open("tr");
        page.cell(&redundancy.resource);
        match redundancy.monthly_usd {
            Some(usd) => {
                let text = page.money(usd);
                page.figure_cell(&text, "escale cost, proof/prices.json");
            }
            None => page.cell(t(input.language, "prix sans source", "price without a source")),
        }
        page.close("tr");
    }
    page.close("table");
    page.close("section");
}

/// The lines of the bill.
fn items(page: &mut Page, input: &Input<'_>) {
    page.open("table");
    for line in &input.bill.lines {
        page.open("tr");
        page.cell(&line.resource);
        let what = input.language.of(&line.french, &line.what);
        if line.line > 0 {
            page.figure_cell(what, &format!("{}:{}", input.source, line.line));
        } else {
            page.cell(what);
        }
        match line.monthly_usd {
            Some(usd) => {
                let text = page.money(usd);
                page.figure_cell(&text, &format!("proof/prices.json, {}", line.item));
            }
            None => page.cell(t(input.language, "prix sans source", "price without a source")),
        }
        page.close("tr");
    }
    page.close("table");
}

/// The rules that do not hold. No section, because sections are kept on one page.
fn review(page: &mut Page, input: &Input<'_>) {
    page.subheading(t(input.language, "Revue par règles", "Review by rules"));
    if input.findings.is_empty() {
        page.paragraph(t(input.language, "Toutes les règles sont respectées.", "All rules hold."));
    }
    let mut last = None;
    for rule in crate::review::rules() {
        let found: Vec<_> = input.findings.iter().filter(|f| f.rule == rule.id).collect();
        if found.is_empty() {
            continue;
        }
        let (title, fix) = rule.words(input.language);
        if last != Some(rule.pillar) {
            page.labelled(rule.pillar.name_in(input.language), "");
            last = Some(rule.pillar);
        }
        let not = t(input.language, "Non respectée :", "It does not hold:");
        let places: Vec<String> =
            found.iter().map(|f| format!("{} ({}:{})", f.resource, input.source, f.line)).collect();
        page.list(&[format!("{} – {title}. {not} {}. {fix}", rule.id, places.join(", "))]);
    }
}

fn reachability(page: &mut Page, input: &Input<'_>) {
    page.open("section");
    page.subheading(t(input.language, "Exposition à Internet", "Reachability from the Internet"));
    page.paragraph(t(
        input.language,
        "Ports TCP qui répondent depuis Internet, calculés à partir des adresses, des routes, des groupes de sécurité, des listes de contrôle d’accès réseau et des écouteurs :",
        "TCP ports that answer from the Internet, computed from addresses, routes, security groups, network ACLs and listeners:",
    ));
    page.open("table");
    for one in input.reachable {
        page.open("tr");
        page.cell(&one.resource);
        let ports: Vec<String> = one.ports.iter().map(u16::to_string).collect();
        let list =
            if ports.is_empty() { t(input.language, "aucun", "none").to_owned() } else { ports.join(", ") };
        page.figure_cell(&list, &format!("{}:{}", input.source, one.line));
        page.close("tr");
    }
    page.close("table");
    let probes: Vec<&Measurement> = input.measurements.iter().filter(|m| m.is_of_a_probe()).collect();
    for probe in &probes {
        let differences = probe.value["reachability"]["disagreements"].as_array().map_or(0, Vec::len);
        page.open("p");
        page.text(t(
            input.language,
            "Écarts entre le calcul et le sondage par paquets : ",
            "Differences between the computation and the probe with packets: ",
        ));
        page.figure(&differences.to_string(), &probe.id);
        page.close("p");
    }
    if probes.is_empty() {
        page.paragraph(t(
            input.language,
            "Aucun sondage n’a été fourni. Pour en faire un :",
            "No probe was given. To make one:",
        ));
        page.code(&["sudo escale review --live --json > probe.json", "escale report --evidence probe.json"]);
    }
    page.close("section");
}

fn administered(page: &mut Page, input: &Input<'_>) {
    page.open("section");
    page.subheading(t(input.language, "Ce que personne n’administre", "What nobody administers"));
    let arch = input.architecture;
    let mut all: Vec<&str> = Vec::new();
    let mut add = |has: bool, french, english| {
        if has {
            all.push(t(input.language, french, english));
        }
    };
    add(
        !arch.services.is_empty(),
        "les serveurs qui exécutent les conteneurs",
        "the servers that run the containers",
    );
    add(
        !arch.databases.is_empty(),
        "le système d’exploitation et les sauvegardes de la base",
        "the operating system and the backups of the database",
    );
    add(
        arch.databases.iter().any(|d| d.is_multi_az),
        "le basculement vers le serveur de secours",
        "the failover to the standby",
    );
    add(!arch.balancers.is_empty(), "les répartiteurs de charge", "the load balancers");
    add(
        !arch.distributions.is_empty(),
        "les serveurs du réseau de diffusion",
        "the servers of the content delivery network",
    );
    add(has_private_parts(arch), "les routeurs et les pare-feu", "the routers and firewalls");
    page.list(&all.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
    page.close("section");
}

/// For the page's numbers.
pub(super) fn as_f64(value: &Value) -> f64 {
    value.as_f64().unwrap_or(0.0)
}
