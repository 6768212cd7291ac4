//! All databases of the fake, and what flows between them.

use super::{
    Database, State,
    database::{self, at},
};
use escale_base::PlaneError;

impl State {
    pub(super) fn database(&mut self, name: &str) -> Result<&mut Database, PlaneError> {
        let found = self.databases.get_mut(name);
        found.ok_or_else(|| PlaneError::asked(format!("there is no database '{name}'")))
    }

    /// The primary of the copy's source.
    pub(super) fn above(&self, copy: &Database) -> Option<database::Above> {
        let source = self.databases.get(copy.record.source.as_ref()?)?;
        let primary = source.record.primary.clone();
        let rows = source.nodes.get(&primary).map(|n| n.rows.clone()).unwrap_or_default();
        let timeline = source.nodes.get(&primary).map_or(1, |n| n.timeline);
        Some(database::Above {
            answers: source.record.bootstrapped && source.answers(&primary),
            primary,
            rows,
            timeline,
        })
    }

    /// The rows of a database reach the copies that stream from it.
    pub(super) fn replicate(&mut self, database: &str) {
        let is_copy = |d: &Database| d.record.source.as_deref() == Some(database);
        let copies: Vec<_> =
            self.databases.iter().filter(|(_, d)| is_copy(d)).map(|(n, _)| n.clone()).collect();
        for copy in copies {
            let above = self.databases.get(&copy).and_then(|d| self.above(d));
            if let Some((d, above)) = self.databases.get_mut(&copy).zip(above)
                && d.follows(&above)
            {
                let node = d.record.primary.clone();
                at(&mut d.nodes, &node).rows.extend(above.rows);
            }
        }
    }

    pub(super) fn pid(&mut self) -> u32 {
        self.pids += 1;
        self.pids
    }
}
