//! `user[:group]` by Docker's rules: names are looked up in the image's own /etc/passwd and /etc/group.

use crate::unpack;
use rustix::fs::{FileType, OFlags};
use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) groups: Vec<u32>,
    pub(crate) home: String,
}

/// The account files of an image, searched from the top layer down.
pub(crate) struct Accounts {
    passwd: String,
    group: String,
}

impl Accounts {
    /// `layers`: unpacked directories, the top one first.
    pub(crate) fn read(layers: &[PathBuf]) -> Accounts {
        let find = |path: &str| layers.iter().find_map(|l| look(l, Path::new(path))).flatten();
        Accounts {
            passwd: find("etc/passwd").unwrap_or_default(),
            group: find("etc/group").unwrap_or_default(),
        }
    }

    pub(crate) fn resolve(&self, wanted: &str) -> Result<User, String> {
        let (user, group) = wanted.split_once(':').map_or((wanted, None), |(u, g)| (u, Some(g)));
        let user = if user.is_empty() { "0" } else { user };
        let number: Option<u32> = user.parse().ok();
        let entry = rows(&self.passwd).find(|row| match number {
            Some(_) => field::<u32>(row, 2) == number,
            None => row.first() == Some(&user),
        });
        let uid = match (&entry, number) {
            (Some(row), None) => {
                field(row, 2).ok_or_else(|| format!("the image's /etc/passwd has no number for '{user}'"))?
            }
            (None, None) => return Err(format!("user '{user}' is not in the image's /etc/passwd")),
            (_, Some(n)) => n,
        };
        let name = entry.as_ref().and_then(|row| row.first().copied());
        let (gid, groups) = match group {
            // An explicit group replaces the user's memberships, as in Docker.
            Some(g) => (self.group(g)?, vec![]),
            None => {
                let gid = entry.as_ref().and_then(|row| field(row, 3)).unwrap_or(0);
                (gid, name.map(|n| self.memberships(n)).unwrap_or_default())
            }
        };
        let home = entry.as_ref().and_then(|row| row.get(5).copied()).filter(|h| !h.is_empty());
        Ok(User { uid, gid, groups, home: home.unwrap_or("/").to_owned() })
    }

    fn group(&self, wanted: &str) -> Result<u32, String> {
        if let Ok(number) = wanted.parse() {
            return Ok(number);
        }
        let row = rows(&self.group).find(|row| row.first() == Some(&wanted));
        row.and_then(|row| field(&row, 2))
            .ok_or_else(|| format!("group '{wanted}' is not in the image's /etc/group"))
    }

    fn memberships(&self, user: &str) -> Vec<u32> {
        let member = |row: &Vec<&str>| row.get(3).is_some_and(|list| list.split(',').any(|m| m == user));
        rows(&self.group).filter(member).filter_map(|row| field(&row, 2)).collect()
    }
}

fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().filter(|l| !l.starts_with('#')).map(|l| l.trim_end().split(':').collect())
}

fn field<T: std::str::FromStr>(row: &[&str], n: usize) -> Option<T> {
    row.get(n)?.parse().ok()
}

/// `None`: search the next layer. `Some(None)`: a whiteout, or not a file; the search ends.
fn look(layer: &Path, path: &Path) -> Option<Option<String>> {
    let root = unpack::open_root(layer).ok()?;
    let found = unpack::open_in(&root, path, OFlags::PATH | OFlags::NOFOLLOW).ok()?;
    let kind = FileType::from_raw_mode(rustix::fs::fstat(&found).ok()?.st_mode);
    if kind != FileType::RegularFile && kind != FileType::Symlink {
        return Some(None);
    }
    let file = unpack::open_in(&root, path, OFlags::RDONLY | OFlags::NONBLOCK).ok()?;
    let mut text = Vec::new();
    // Real account files are smaller; a huge one must not be held in memory.
    File::from(file).take(1024 * 1024).read_to_end(&mut text).ok()?;
    Some(Some(String::from_utf8_lossy(&text).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        let accounts = Accounts {
            passwd: "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n".into(),
            group: "root:x:0:\napp:x:1001:\nextra:x:7:app,other\n".into(),
        };
        let user = |u, g, groups: &[u32], home: &str| User {
            uid: u,
            gid: g,
            groups: groups.into(),
            home: home.into(),
        };
        assert_eq!(accounts.resolve("app").unwrap(), user(1000, 1001, &[7], "/home/app"));
        assert_eq!(accounts.resolve("1000").unwrap(), user(1000, 1001, &[7], "/home/app"));
        assert_eq!(accounts.resolve("app:extra").unwrap(), user(1000, 7, &[], "/home/app"));
        assert_eq!(accounts.resolve("4242").unwrap(), user(4242, 0, &[], "/"));
        assert_eq!(accounts.resolve("").unwrap(), user(0, 0, &[], "/root"));
        assert!(accounts.resolve("missing").unwrap_err().contains("missing"));
        assert!(accounts.resolve("app:none").unwrap_err().contains("none"));
    }
}
