//! The upgrade of a minor release: servers that run an older release than the installed one are replaced by it. Both have the
//! same format of data, so a restart is all that it takes:
//! <https://www.postgresql.org/docs/current/upgrading.html>.
//!
//! In a pair the standby restarts first, then it takes over, and the old primary becomes its standby: clients lose one failover.

use crate::{
    binaries::{Binaries, release_of},
    plane::Inner,
    spec::*,
};
use escale_base::PlaneError;
use std::{path::PathBuf, time::SystemTime};

/// The release of the installed program, and the file that it was asked of.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Asked {
    program: PathBuf,
    changed: Option<SystemTime>,
    release: Option<Release>,
}

impl Inner {
    /// The installed release of a major version. The program is executed only when its file has changed.
    pub(crate) fn installed_release(&self, version: u32) -> Option<Release> {
        let program = Binaries::probe(version).ok()?.program("postgres");
        let changed = program.metadata().and_then(|m| m.modified()).ok();
        let mut asked = self.releases.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(known) = asked.iter().find(|a| a.program == program && a.changed == changed) {
            return known.release;
        }
        let release = release_of(&program);
        asked.retain(|a| a.program != program);
        asked.push(Asked { program, changed, release });
        release
    }

    /// Takes the next step of an upgrade. False when no server runs an older release.
    pub(crate) async fn upgrade(&self, database: &str) -> Result<bool, PlaneError> {
        let record = self.record(database)?;
        let Some(observed) = self.observe(database).await? else { return Ok(false) };
        let is_old = |node: &str| observed.is_outdated(node);
        if let Some(standby) = record.standby().map(|n| n.name.clone())
            && (is_old(&standby) || is_old(&record.primary))
        {
            if record.protection != Protection::Protected {
                let what = format!("cannot upgrade database '{database}': its standby is not in sync");
                return Err(PlaneError::machine(what));
            }
            if !is_old(&standby) {
                // The old primary is started again by the next `ensure`, with the new release.
                self.failover(database, &record.primary).await?;
                return Ok(true);
            }
            let _planned = self.plan_downtime(database);
            self.stop(database, &standby).await?;
            self.start(database, &record, &standby).await?;
            return Ok(true);
        }
        if !is_old(&record.primary) {
            return Ok(false);
        }
        let _planned = self.plan_downtime(database);
        self.stop(database, &record.primary).await?;
        self.start(database, &record, &record.primary).await?;
        Ok(true)
    }
}
