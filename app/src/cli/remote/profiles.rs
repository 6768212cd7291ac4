//! The profiles of `~/.aws/config` and `~/.aws/credentials`.
//!
//! Source: <https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>

use anyhow::{Context, Result, bail};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

/// The keys of a profile from both files. Where both have a key, the credentials file wins.
pub(crate) type Profile = BTreeMap<String, String>;

#[derive(Debug, Default)]
pub(crate) struct Profiles(BTreeMap<String, Profile>);

impl Profiles {
    /// Reads both files; one that does not exist has no profiles. `variable` reads an environment variable.
    pub(crate) fn read(variable: &dyn Fn(&str) -> Option<String>) -> Result<Profiles> {
        let place = |named: &str, file: &str| match (variable(named), variable("HOME")) {
            (Some(path), Some(home)) if path.starts_with("~/") => Some(Path::new(&home).join(&path[2..])),
            (Some(path), _) => Some(PathBuf::from(path)),
            (None, home) => home.map(|home| Path::new(&home).join(".aws").join(file)),
        };
        let mut profiles = Profiles::default();
        if let Some(path) = place("AWS_CONFIG_FILE", "config") {
            profiles.add(&path, true)?;
        }
        if let Some(path) = place("AWS_SHARED_CREDENTIALS_FILE", "credentials") {
            profiles.add(&path, false)?;
        }
        Ok(profiles)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Profile> {
        self.0.get(name)
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    fn add(&mut self, path: &Path, is_config: bool) -> Result<()> {
        match fs::read_to_string(path) {
            Ok(text) => {
                self.parse(&text, is_config).with_context(|| format!("cannot read {}", path.display()))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    fn parse(&mut self, text: &str, is_config: bool) -> Result<()> {
        let mut section: Option<String> = None;
        for (line, number) in text.lines().zip(1..) {
            // An indented line belongs to a nested setting, such as `s3 =`; none of these is read.
            if line.starts_with([' ', '\t']) || line.trim().is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(rest) = line.strip_prefix('[') {
                let (name, _) =
                    rest.split_once(']').with_context(|| format!("line {number}: `]` is missing"))?;
                section = profile_name(name.trim(), is_config);
                if let Some(name) = &section {
                    self.0.entry(name.clone()).or_default();
                }
                continue;
            }
            let Some((key, value)) = line.split_once('=') else {
                bail!("line {number}: write KEY = VALUE");
            };
            // Keys before the first section, and those of other kinds of sections, are not a profile's.
            if let Some(profile) = section.as_ref().and_then(|name| self.0.get_mut(name)) {
                // A comment at the end of a line begins after a space.
                let value =
                    [" #", " ;"].iter().fold(value, |value, mark| value.split(mark).next().unwrap_or(value));
                profile.insert(key.trim().to_ascii_lowercase(), value.trim().to_owned());
            }
        }
        Ok(())
    }
}

/// The profile of a section; `None` for a section of another kind (`sso-session`, `services`).
fn profile_name(section: &str, is_config: bool) -> Option<String> {
    match section.split_once(char::is_whitespace) {
        Some(("profile", name)) if is_config => Some(name.trim().trim_matches(['"', '\'']).to_owned()),
        None if !is_config || section == "default" => Some(section.to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_profiles_of_both_files() {
        let mut profiles = Profiles::default();
        let config = "# a comment\n[default]\nregion = eu-west-3 # Paris\ns3 =\n  max_queue_size = 1\n\n[profile \"prod\"]\n\
                      role_arn=arn:aws:iam::1:role/x\nsource_profile = default\n[sso-session corp]\nsso_start_url = u\n[other]\nregion=x\n";
        profiles.parse(config, true).unwrap();
        profiles
            .parse("[default]\naws_access_key_id = A\naws_secret_access_key = a#b\n[ci]\n", false)
            .unwrap();
        assert_eq!(profiles.names(), ["ci", "default", "prod"]);
        let default = profiles.get("default").unwrap();
        assert_eq!(
            (default["region"].as_str(), default["aws_secret_access_key"].as_str()),
            ("eu-west-3", "a#b")
        );
        assert!(!default.contains_key("max_queue_size"));
        assert_eq!(profiles.get("prod").unwrap()["source_profile"], "default");
    }

    #[test]
    fn broken_files_are_refused_with_the_line() {
        for (text, line) in [("[default\nx=1\n", "line 1"), ("[default]\nregion\n", "line 2")] {
            let error = Profiles::default().parse(text, true).unwrap_err();
            assert!(error.to_string().starts_with(line), "{error}");
        }
    }
}
