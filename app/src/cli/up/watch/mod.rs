//! `escale up --watch`: rolls out what changes in the folders of an application, until Ctrl-C.

mod marks;

use super::{
    INTERRUPTED, Phases, RELEASE, Up, Wanted, any, bases, images, once, release,
    sources::{self, Source},
    stack::{self, Given},
    static_files, stop_signals,
};
use crate::{
    cli::{
        Output,
        application::{Application, LOCAL, manifest_path, read_manifest},
        changes::Changes,
        client::Client,
        start,
    },
    home::Home,
    lock,
    settings::Settings,
};
use anyhow::{Result, anyhow, bail};
use escale_blueprint::{Manifest, Purpose, RUNS_NEW, Template, template};
use marks::{Marks, Notifications, Part};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

pub(super) struct Watch<'a> {
    home: &'a Home,
    out: &'a Output,
    up: &'a Up,
    path: PathBuf,
    manifest: Manifest,
    template: Template,
    notifications: Notifications,
    marks: Marks,
    /// What changed and was not rolled out yet: also what failed, so that it is tried again with the next change.
    pending: BTreeMap<Part, PathBuf>,
}

impl<'a> Watch<'a> {
    pub(super) fn begin(home: &'a Home, out: &'a Output, up: &'a Up) -> Result<Watch<'a>> {
        let path = manifest_path(&up.manifest)?;
        let (manifest, template) = read(&path, up)?;
        let notifications = Notifications::new()?;
        let (marks, pending) = (Marks::default(), BTreeMap::new());
        let mut watch = Watch { home, out, up, path, manifest, template, notifications, marks, pending };
        watch.look()?;
        Ok(watch)
    }

    /// Deploys each change, until Ctrl-C.
    pub(super) async fn follow(mut self) -> Result<ExitCode> {
        let mut stopped = stop_signals()?;
        let app = self.manifest.app.clone();
        self.say(&format!("Watching {app} for changes. Press Ctrl-C to end."), "watching");
        loop {
            let mut changed = self.look()?;
            if changed.is_empty() {
                tokio::select! {
                    one = self.notifications.one() => one?,
                    () = any(&mut stopped) => {
                        self.say(&format!("The watch has ended. {app} keeps running."), "ended");
                        return Ok(ExitCode::SUCCESS);
                    }
                }
                continue;
            }
            // An editor or a compiler may be in the middle of writing.
            self.notifications.pause().await?;
            changed.extend(self.look()?);
            self.pending.extend(changed);
            let names: BTreeSet<&str> = self.pending.keys().map(Part::name).collect();
            let what = format!("{} ({})", Vec::from_iter(names).join(", "), self.one_file());
            let began = Instant::now();
            let done = tokio::select! {
                done = self.round() => done,
                () = any(&mut stopped) => {
                    self.say(&format!("{what}: interrupted. `escale status` shows what runs."), "interrupted");
                    return Ok(ExitCode::from(INTERRUPTED));
                }
            };
            let seconds = began.elapsed().as_secs_f64();
            match done {
                Ok(Round::Done(summary)) => {
                    self.pending.clear();
                    self.say(&format!("{what}: {summary}, {seconds:.1} s"), "done");
                }
                // The deployment has reported it.
                Ok(Round::Interrupted) => return Ok(ExitCode::from(INTERRUPTED)),
                Ok(Round::Removed) => bail!("{app} was removed, so there is nothing to watch"),
                Err(error) => {
                    let why: Vec<String> = error.chain().map(ToString::to_string).collect();
                    self.say(&format!("{what}: failed: {}", why.join(": ").trim_end()), "failed");
                }
            }
        }
    }

    /// Prints one event of the watch.
    fn say(&self, text: &str, event: &str) {
        let names: Vec<&str> = self.pending.keys().map(Part::name).collect();
        if self.out.json {
            // One object a line, so that a script can read them while the watch runs.
            super::super::print(&format!("{}\n", json!({"event": event, "changed": names, "text": text})));
        } else {
            super::super::print(&format!("{text}\n"));
        }
    }

    /// One of the changed files, as a person would name it.
    fn one_file(&self) -> String {
        let file = self.pending.values().next_back().cloned().unwrap_or_default();
        file.strip_prefix(self.folder()).unwrap_or(&file).display().to_string()
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }

    /// Looks at all files, and returns what changed since the last look. New folders are watched before their files are looked
    /// at again, so that no change is missed.
    fn look(&mut self) -> Result<BTreeMap<Part, PathBuf>> {
        let of = || Marks::of(&self.path, self.folder(), &self.manifest, &self.template);
        self.notifications.add(&of().1)?;
        let (marks, folders) = of();
        self.notifications.add(&folders)?;
        let changed = marks.changed_since(&self.marks);
        self.marks = marks;
        Ok(changed)
    }

    async fn round(&mut self) -> Result<Round> {
        let stack = self.manifest.stack_name();
        if !Application::all(self.home)?.iter().any(|a| a.stack == stack) {
            return Ok(Round::Removed);
        }
        if self.pending.contains_key(&Part::Manifest) {
            (self.manifest, self.template) = read(&self.path, self.up)?;
            // Folders that the manifest names since. Their files are deployed below.
            self.look()?;
            let deployed = once(self.home, self.out, self.up, &mut Phases::silent()).await?;
            let summary = |done: super::Deployed| Round::Done(done.changes.summary());
            return Ok(deployed.map_or(Round::Interrupted, summary));
        }
        let _alone = lock::alone(self.home)?;
        let settings = Settings::of(self.home)?;
        start::ensure(self.home).await?;
        let client = Client::new(self.home, &settings);
        let is_changed = |service: &str| self.pending.contains_key(&Part::Service(service.to_owned()));
        let mut summary = Vec::new();
        if self.template.images.iter().any(|needed| is_changed(&needed.service)) {
            summary.push(self.roll_out(&client, &settings, is_changed).await?);
        }
        if self.pending.keys().any(|part| matches!(part, Part::Bucket(_))) {
            static_files::check(self.folder(), &self.template)?;
            let found = stack::describe(&client, &stack).await?;
            let outputs = found.as_ref().map(stack::outputs).unwrap_or_default();
            static_files::sync_all(&client, self.folder(), &self.template, &outputs).await?;
            summary.push("files uploaded".into());
        }
        Ok(Round::Done(summary.join(", ")))
    }

    /// Builds the images of the changed services and updates the stack. All other parameters keep their values.
    async fn roll_out(
        &self,
        client: &Client,
        settings: &Settings,
        is_changed: impl Fn(&str) -> bool,
    ) -> Result<String> {
        let mut phases = Phases::silent();
        let sources = sources::sources(self.folder(), &self.template, &settings.config)?;
        let sources: Vec<&Source<'_>> = sources.iter().filter(|s| is_changed(&s.needed.service)).collect();
        let bases = bases::pull_all(self.home, client, settings, &sources, &mut phases).await?;
        let layouts = images::build_all(self.home, sources, &bases, &phases)?;
        let built = || self.template.images.iter().filter(|needed| layouts.contains_key(&needed.service));
        let pushed = images::push_all(client, built(), &layouts, &phases).await?;
        let given = |parameter: &str| {
            let needed = built().find(|needed| needed.parameter == parameter)?;
            pushed.get(&needed.service).cloned()
        };
        let parameters = self.template.parameters.iter().map(|parameter| match given(&parameter.name) {
            Some(image) => Given::Value(parameter.name.clone(), image),
            None if matches!(parameter.purpose, Purpose::Runs { .. }) => {
                Given::Value(parameter.name.clone(), RUNS_NEW.to_owned())
            }
            None => Given::Previous(parameter.name.clone()),
        });
        let (name, text) = (self.manifest.stack_name(), self.template.to_json_min());
        let wanted =
            Wanted { name: &name, template: &text, parameters: parameters.collect(), prefix: RELEASE };
        let agree = async |_: &Changes, _: &Phases| Ok(());
        let done = release::deploy(client, &self.template, wanted, agree, &mut phases).await?;
        Ok(done.changes.summary())
    }
}

/// The end of a round.
enum Round {
    Done(String),
    Interrupted,
    /// The application was removed by another command.
    Removed,
}

fn read(path: &Path, up: &Up) -> Result<(Manifest, Template)> {
    let manifest = read_manifest(path, LOCAL, &up.set)?;
    let template = template(&manifest).map_err(|p| anyhow!("{}", p[0]))?;
    Ok((manifest, template))
}
