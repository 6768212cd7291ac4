//! Writes the document: one file, without scripts, fonts or pictures from elsewhere.

use super::{Language, evidence::as_f64, words::t};
use crate::diagram::svg::escape;
use serde_json::Value;

const STYLE: &str = "\
@page{size:A4;margin:18mm 16mm 20mm}\
html{font:11pt/1.5 Charter,'Bitstream Charter','Iowan Old Style',Cambria,Georgia,'DejaVu Serif',serif;color:#111827;background:#fff}\
body{max-width:46rem;margin:3rem auto;padding:0 1.25rem;hyphens:auto;text-wrap:pretty}\
h1,h2,h3,th,.n,code,figcaption,footer{font-family:Inter,'Helvetica Neue',Arial,'Liberation Sans','DejaVu Sans',sans-serif}\
h1{font-size:26pt;line-height:1.15;margin:0 0 .4rem;letter-spacing:-.01em;hyphens:none}\
h2{font-size:15pt;margin:2.6rem 0 .8rem;padding-bottom:.25rem;border-bottom:1px solid #cbd5e1;break-after:avoid;hyphens:none}\
h3{font-size:11.5pt;margin:1.5rem 0 .3rem;break-after:avoid;hyphens:none}\
p{margin:.45rem 0;orphans:3;widows:3}section{break-inside:avoid}\
figure{margin:1rem 0;break-inside:avoid}figure svg{width:100%;height:auto;max-height:225mm}\
table{border-collapse:collapse;width:100%;margin:.6rem 0;font-variant-numeric:tabular-nums lining-nums;break-inside:avoid}\
td{padding:.28rem .5rem .28rem 0;border-bottom:1px solid #e5e7eb;vertical-align:top}td:last-child{text-align:right}\
b.k{font-weight:600}.n{font-size:9pt;color:#475569}\
.f{font-variant-numeric:tabular-nums lining-nums}.s{display:block;font-size:7.5pt;color:#64748b}\
pre{font:9pt/1.4 'DejaVu Sans Mono',monospace;background:#f1f5f9;padding:.6rem .8rem;border-radius:4px;white-space:pre-wrap;hyphens:none}\
footer{margin-top:3rem;font-size:8.5pt;color:#64748b}\
@media print{body{margin:0;max-width:none;padding:0}h2{margin-top:1.6rem}}";

pub(super) struct Page {
    language: Language,
    out: String,
}

impl Page {
    pub(super) fn new(language: Language, name: &str) -> Page {
        let code = match language {
            Language::French => "fr",
            Language::English => "en",
        };
        let title = t(language, "Dossier d’architecture", "Architecture report");
        let out = format!(
            "<!doctype html>\n<html lang=\"{code}\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
             content=\"width=device-width\"><title>{name} – {title}</title><style>{STYLE}</style></head><body>\n\
             <h1>{name}</h1><p class=\"n\">{title}</p>\n",
            name = escape(name)
        );
        Page { language, out }
    }

    pub(super) fn open(&mut self, tag: &str) {
        self.out.push_str(&format!("<{tag}>"));
    }

    pub(super) fn close(&mut self, tag: &str) {
        self.out.push_str(&format!("</{tag}>\n"));
    }

    /// French typography: a no-break space before double punctuation.
    pub(super) fn text(&mut self, text: &str) {
        let mut spaced = text.to_owned();
        if self.language == Language::French {
            for mark in [":", ";", "?", "!", "»"] {
                spaced = spaced.replace(&format!(" {mark}"), &format!("\u{a0}{mark}"));
            }
            spaced = spaced.replace("« ", "«\u{a0}");
        }
        self.out.push_str(&escape(&spaced));
    }

    fn element(&mut self, tag: &str, text: &str) {
        self.open(tag);
        self.text(text);
        self.close(tag);
    }

    pub(super) fn heading(&mut self, text: &str) {
        self.element("h2", text);
    }

    pub(super) fn subheading(&mut self, text: &str) {
        self.element("h3", text);
    }

    pub(super) fn paragraph(&mut self, text: &str) {
        self.element("p", text);
    }

    pub(super) fn cell(&mut self, text: &str) {
        self.element("td", text);
    }

    pub(super) fn labelled(&mut self, label: &str, text: &str) {
        self.out.push_str(&format!("<p><b class=\"k\">{}.</b> ", escape(label)));
        self.text(text);
        self.out.push_str("</p>\n");
    }

    /// The names of resources, which are no figures.
    pub(super) fn names(&mut self, names: &[String]) {
        self.out.push_str(&format!("<p class=\"n\">{}</p>\n", escape(&names.join(", "))));
    }

    pub(super) fn list(&mut self, items: &[String]) {
        if items.is_empty() {
            return;
        }
        self.open("ul class=\"n\"");
        items.iter().for_each(|item| self.element("li", item));
        self.close("ul");
    }

    pub(super) fn code(&mut self, lines: &[&str]) {
        let lines: Vec<String> = lines.iter().map(|line| escape(line)).collect();
        self.out.push_str(&format!("<pre>{}</pre>\n", lines.join("\n")));
    }

    /// A figure with its source.
    pub(super) fn figure(&mut self, text: &str, source: &str) {
        let (text, source) = (escape(text), escape(source));
        self.out.push_str(&format!(
            "<span class=\"f\" data-source=\"{source}\">{text}<span class=\"s\">{source}</span></span>"
        ));
    }

    pub(super) fn figure_cell(&mut self, text: &str, source: &str) {
        self.open("td");
        self.figure(text, source);
        self.close("td");
    }

    pub(super) fn picture(&mut self, svg: &str) {
        self.out.push_str(&format!("<figure>{svg}</figure>\n"));
    }

    /// With the separators of the language.
    pub(super) fn number(&self, value: &Value) -> String {
        let value = as_f64(value);
        let digits = if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.1}") };
        self.separated(&digits)
    }

    pub(super) fn money(&self, usd: f64) -> String {
        format!("{}\u{a0}USD", self.separated(&format!("{usd:.2}")))
    }

    fn separated(&self, digits: &str) -> String {
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let (group, point) = match self.language {
            Language::French => ('\u{202f}', ','),
            Language::English => (',', '.'),
        };
        let mut out = String::new();
        for (n, c) in whole.chars().enumerate() {
            if n > 0 && (whole.len() - n).is_multiple_of(3) {
                out.push(group);
            }
            out.push(c);
        }
        if !part.is_empty() {
            out.push(point);
            out.push_str(part);
        }
        out
    }

    pub(super) fn finish(mut self, source: &str) -> String {
        let made = t(self.language, "Produit par escale report à partir de", "Made by escale report from");
        self.out.push_str(&format!("<footer>{made} {}</footer>\n</body></html>\n", escape(source)));
        self.out
    }
}
