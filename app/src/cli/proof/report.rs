//! `escale report`: the document about an architecture, in French or English.

use super::{super::Output, Subject};
use crate::home::Home;
use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use escale_proof::{
    cost::{Bill, Usage},
    diagram::{Theme, layout, svg},
    report::{Input, Language, Measurement, write},
    review::{reach, review},
};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
};

#[derive(Args)]
pub(crate) struct ReportArgs {
    #[command(flatten)]
    subject: Subject,
    /// The HTML file to write.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// The language of the document.
    #[arg(long, value_enum, default_value_t = Lang::En)]
    lang: Lang,
    /// Measurements: files with the output of `escale drill`, `escale review --live`, `escale snapshot --list` or `escale restore`,
    /// each with --json. Each figure of the document names its file. Without measurements a section says how to make them.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    evidence: Vec<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Lang {
    Fr,
    En,
}

pub(crate) async fn run(home: &Home, out: &Output, args: &ReportArgs) -> Result<()> {
    let measurements = args.evidence.iter().map(|path| measurement(path)).collect::<Result<Vec<_>>>()?;
    let read = args.subject.read(home).await?;
    let bill = |usage: Usage| Bill::of(&read.survey, &read.architecture, usage);
    let language = match args.lang {
        Lang::Fr => Language::French,
        Lang::En => Language::English,
    };
    let html = write(&Input {
        language,
        source: &read.source,
        architecture: &read.architecture,
        bill: &bill(Usage::default()),
        bill_at_ten: &bill(Usage::default().times(10.0)),
        reachable: &reach::computed(&read.architecture),
        findings: &review(&read.survey, &read.architecture),
        diagram: &svg::write(&layout(&read.architecture, language), Theme::Light),
        measurements: &measurements,
    });
    fs::write(&args.output, html).with_context(|| format!("cannot write {}", args.output.display()))?;
    let (file, used) = (args.output.display().to_string(), measurements.len());
    out.say(
        &format!("{file} describes {}, with {used} measurement(s)", read.source),
        &json!({"file": file, "source": read.source, "measurements": measurements.iter().map(|m| &m.id).collect::<Vec<_>>()}),
    );
    Ok(())
}

/// A file that is neither a drill nor a probe would be ignored, so it is refused.
fn measurement(path: &Path) -> Result<Measurement> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let value: Value =
        serde_json::from_str(&text).with_context(|| format!("{} is not JSON", path.display()))?;
    let id = path
        .file_name()
        .map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
    let measurement = Measurement { id, value };
    if !measurement.is_evidence() {
        bail!(
            "{} is not the output of a measurement: `escale drill`, `escale review --live`, `escale snapshot --list` (of a database with \
             a backup) or `escale restore`, each with --json",
            path.display()
        );
    }
    Ok(measurement)
}
