//! The available engine versions. The daemon stores at its start which ones are installed.

use crate::Error;
use escale_base::packages::{self, Package};
use escale_store::{Image, Store, StoreError};
use escale_tables::rds::EngineSeen;

/// The newest minor release of each major version in RDS when this was written. A bare major version means this release, and
/// requests can name no later one. <https://docs.aws.amazon.com/AmazonRDS/latest/PostgreSQLReleaseNotes/>
const NEWEST_MINOR: &[(u32, u32)] = &[(13, 22), (14, 19), (15, 14), (16, 10), (17, 6), (18, 1)];

/// Stores which versions are installed.
pub fn store_installed(store: &Store, majors: &[u32]) -> Result<(), StoreError> {
    store.write(|tx| {
        let removed: Vec<_> = tx.scan::<EngineSeen>().filter(|e| !majors.contains(&e.major)).collect();
        for engine in removed {
            tx.delete::<EngineSeen>(&escale_store::Row::key(&*engine));
        }
        for major in majors {
            tx.put(EngineSeen { major: *major });
        }
        Ok(())
    })
}

/// Installed major versions that RDS has too, ascending.
pub(crate) fn majors(image: &Image) -> Vec<u32> {
    image.scan::<EngineSeen>().map(|e| e.major).filter(|m| newest_minor(*m).is_some()).collect()
}

fn newest_minor(major: u32) -> Option<u32> {
    NEWEST_MINOR.iter().find(|(m, _)| *m == major).map(|(_, minor)| *minor)
}

/// `15.14` for 15.
pub(crate) fn newest(major: u32) -> String {
    format!("{major}.{}", newest_minor(major).unwrap_or(0))
}

/// Whether one full version is older than another, such as 15.4 than 15.14.
pub(crate) fn is_older(version: &str, than: &str) -> bool {
    let numbers = |text: &str| text.split('.').map(|part| part.parse().unwrap_or(0)).collect::<Vec<u32>>();
    numbers(version) < numbers(than)
}

/// The major version and the full version for a request. Without a version, the newest installed one.
pub(crate) fn version(image: &Image, engine: &str, requested: Option<&str>) -> Result<(u32, String), Error> {
    if engine != "postgres" {
        return Err(Error::NotHere(format!("Invalid DB engine: {engine}. Escale supports only postgres.")));
    }
    let installed = majors(image);
    let list = installed.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
    let Some(requested) = requested else {
        let newest_installed = installed.last().copied();
        return newest_installed.map(|major| (major, newest(major))).ok_or_else(|| {
            let install = packages::install(Package::Postgres(None));
            Error::Value(format!(
                "PostgreSQL is not installed on this machine. Install it: {install}. Then restart the daemon"
            ))
        });
    };
    let cannot = |why: String| Error::Value(format!("Cannot find version {requested} for postgres: {why}"));
    let mut parts = requested.splitn(2, '.').map(str::parse::<u32>);
    let (major, minor) = match (parts.next(), parts.next()) {
        (Some(Ok(major)), None) => (major, None),
        (Some(Ok(major)), Some(Ok(minor))) => (major, Some(minor)),
        _ => return Err(cannot("write it like 15 or 15.4".into())),
    };
    let most = newest_minor(major).ok_or_else(|| cannot("RDS has no such version".into()))?;
    if !installed.contains(&major) {
        let install = packages::install(Package::Postgres(Some(major)));
        return Err(cannot(format!(
            "PostgreSQL {major} is not installed on this machine (installed: {list}). Install it: {install}. Then \
             restart the daemon"
        )));
    }
    match minor {
        None => Ok((major, newest(major))),
        // The installed package decides the minor release. The requested one is only recorded.
        Some(minor) if (1..=most).contains(&minor) => Ok((major, requested.to_owned())),
        Some(_) => Err(cannot(format!("RDS has the versions {major}.1 to {major}.{most}"))),
    }
}
