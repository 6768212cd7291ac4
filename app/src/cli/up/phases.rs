//! The progress view of a long command: finished phases with their durations, and what the current phase waits for.

use super::super::Output;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value};
use std::{
    io::IsTerminal,
    sync::Mutex,
    time::{Duration, Instant},
};

pub(crate) struct Phases {
    bar: Option<ProgressBar>,
    quiet: bool,
    started: Instant,
    done: Mutex<Vec<(&'static str, Duration)>>,
    current: Mutex<Option<(&'static str, Instant)>>,
}

impl Phases {
    pub(crate) fn new(out: &Output) -> Phases {
        let live = std::io::stderr().is_terminal() && !out.json;
        let bar = live.then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix:.bold} {wide_msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Phases {
            bar,
            quiet: out.json,
            started: Instant::now(),
            done: Mutex::default(),
            current: Mutex::default(),
        }
    }

    /// For the rounds of a watch: nothing is shown.
    pub(crate) fn silent() -> Phases {
        Phases {
            bar: None,
            quiet: true,
            started: Instant::now(),
            done: Mutex::default(),
            current: Mutex::default(),
        }
    }

    pub(crate) fn begin(&mut self, name: &'static str) {
        self.close();
        if let Ok(mut current) = self.current.lock() {
            *current = Some((name, Instant::now()));
        }
        if let Some(bar) = &self.bar {
            bar.set_prefix(name);
            bar.set_message("");
        }
    }

    /// Shows what the current phase waits for, and why.
    pub(crate) fn set_message(&self, text: impl Into<String>) {
        if let Some(bar) = &self.bar {
            bar.set_message(text.into());
        }
    }

    pub(crate) fn end(&mut self) {
        self.close();
        self.hide();
        self.line(&format!("  {:<14} {:>6.1} s", "total", self.started.elapsed().as_secs_f64()));
    }

    /// Clears the bar for good, so that later output starts on a new line.
    pub(crate) fn hide(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn close(&mut self) {
        let finished = self.current.lock().ok().and_then(|mut c| c.take());
        if let Some((name, since)) = finished {
            let took = since.elapsed();
            self.line(&format!("  {name:<14} {:>6.1} s", took.as_secs_f64()));
            if let Ok(mut done) = self.done.lock() {
                done.push((name, took));
            }
        }
    }

    /// Hides the progress bar while `work` uses the terminal.
    pub(crate) fn pause<T>(&self, work: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(work),
            None => work(),
        }
    }

    /// Prints a line above the progress bar, where it remains.
    pub(crate) fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None if !self.quiet => eprintln!("{text}"),
            None => {}
        }
    }

    /// Seconds by phase, for scripts.
    pub(crate) fn seconds(&self) -> Value {
        let done = self.done.lock().map(|d| d.clone()).unwrap_or_default();
        let mut all: Map<String, Value> =
            done.iter().map(|(name, took)| ((*name).to_owned(), took.as_secs_f64().into())).collect();
        all.insert("together".into(), self.started.elapsed().as_secs_f64().into());
        Value::Object(all)
    }
}

impl Drop for Phases {
    fn drop(&mut self) {
        self.hide();
    }
}
