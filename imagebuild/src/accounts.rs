//! Looks up users and groups in an image's own `/etc/passwd` and `/etc/group`.

/// The two files' texts; empty when the image has none.
#[derive(Default)]
pub(crate) struct Accounts {
    pub(crate) passwd: String,
    pub(crate) group: String,
}

impl Accounts {
    /// `user[:group]` as `--chown` has it. Without a group a name has its own, and a number the group of the same number.
    ///
    /// Source: <https://docs.docker.com/reference/dockerfile/#copy---chown---chmod>
    pub(crate) fn owner(&self, text: &str) -> Result<(u64, u64), String> {
        let (user, group) = text.split_once(':').map_or((text, None), |(user, group)| (user, Some(group)));
        let (uid, own_group) = match user.parse() {
            Ok(number) => (number, number),
            Err(_) => self.user(user)?,
        };
        let gid = match group {
            None => own_group,
            Some(name) => self.group(name)?,
        };
        Ok((uid, gid))
    }

    /// The numbers of a user and of its group.
    pub(crate) fn user(&self, name: &str) -> Result<(u64, u64), String> {
        let numbers = row(&self.passwd, name).and_then(|r| r[2].parse().ok().zip(r.get(3)?.parse().ok()));
        match numbers {
            Some(numbers) => Ok(numbers),
            // `root` is always 0, whatever the file says
            None if name == "root" => Ok((0, 0)),
            None => Err(format!("the image's /etc/passwd has no user `{name}`. Use the numeric id")),
        }
    }

    pub(crate) fn group(&self, name: &str) -> Result<u64, String> {
        let number = name.parse().ok().or_else(|| row(&self.group, name)?[2].parse().ok());
        let root = || (name == "root").then_some(0);
        number
            .or_else(root)
            .ok_or_else(|| format!("the image's /etc/group has no group `{name}`. Use the numeric id"))
    }
}

fn row<'a>(text: &'a str, name: &str) -> Option<Vec<&'a str>> {
    let rows = text.lines().map(|line| line.trim_end().split(':').collect::<Vec<_>>());
    rows.into_iter().find(|row| row.len() > 2 && row[0] == name)
}

#[cfg(test)]
mod tests {
    use super::Accounts;
    use expect_test::expect;

    #[test]
    fn names_and_numbers() {
        let accounts = Accounts {
            passwd: "# users\nroot:x:0:0::/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n".into(),
            group: "app:x:1001:\nextra:x:7:app\n".into(),
        };
        let lines: Vec<String> =
            ["5", "5:6", "app", "app:extra", "app:6", "5:extra", "root", "nobody", "app:none"]
                .iter()
                .map(|text| match accounts.owner(text) {
                    Ok((uid, gid)) => format!("{text}: {uid} {gid}"),
                    Err(why) => format!("{text}: {why}"),
                })
                .collect();
        expect![[r#"
            5: 5 5
            5:6: 5 6
            app: 1000 1001
            app:extra: 1000 7
            app:6: 1000 6
            5:extra: 5 7
            root: 0 0
            nobody: the image's /etc/passwd has no user `nobody`. Use the numeric id
            app:none: the image's /etc/group has no group `none`. Use the numeric id"#]]
        .assert_eq(&lines.join("\n"));
    }
}
