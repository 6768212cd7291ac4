//! Installation hints for missing programs: every hint in an error message comes from [`install`].

use std::sync::OnceLock;

/// Files that name the distribution. <https://www.freedesktop.org/software/systemd/man/latest/os-release.html>
const OS_RELEASE: [&str; 2] = ["/etc/os-release", "/usr/lib/os-release"];

/// Programs that Escale may ask the user to install.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Package {
    Nftables,
    Conntrack,
    Crun,
    /// `modprobe`.
    Kmod,
    /// The servers of a major version; `None` means the distribution's default.
    Postgres(Option<u32>),
    /// `psql`.
    Psql,
    /// Resolves `*.localhost` for programs that do not do so themselves.
    MyHostname,
    AwsCli,
    Buildah,
    /// `rsvg-convert`.
    Librsvg,
}

/// A package manager, named by its install command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manager {
    Apt,
    Dnf,
    Zypper,
    Pacman,
    Apk,
}

/// The command that installs a package on this machine, for example `apt-get install nftables`.
pub fn install(package: Package) -> String {
    static MANAGER: OnceLock<Option<Manager>> = OnceLock::new();
    let manager = MANAGER.get_or_init(|| {
        let text = OS_RELEASE.iter().find_map(|path| std::fs::read_to_string(path).ok());
        Manager::of(&text.unwrap_or_default())
    });
    hint(*manager, package)
}

fn hint(manager: Option<Manager>, package: Package) -> String {
    if package == Package::MyHostname && manager != Some(Manager::Apt) {
        // Other distributions ship the module as a part of systemd; it only has to be enabled.
        return "add `myhostname` to the line `hosts:` of /etc/nsswitch.conf".to_owned();
    }
    let Some(manager) = manager else {
        return format!("install the package `{}` of your distribution", Manager::Apt.name(package));
    };
    format!("{} {}", manager.command(), manager.name(package))
}

impl Manager {
    /// Parses the text of `os-release`.
    fn of(text: &str) -> Option<Manager> {
        let value = |key: &str| {
            let line = text.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix('='));
            line.unwrap_or_default().trim_matches(['"', '\'']).to_ascii_lowercase()
        };
        let known = |word: &str| match word {
            "debian" | "ubuntu" => Some(Manager::Apt),
            "fedora" | "rhel" | "centos" | "amzn" | "rocky" | "almalinux" => Some(Manager::Dnf),
            "suse" | "opensuse" | "sles" => Some(Manager::Zypper),
            "arch" => Some(Manager::Pacman),
            "alpine" => Some(Manager::Apk),
            _ => word.starts_with("opensuse").then_some(Manager::Zypper),
        };
        known(&value("ID")).or_else(|| value("ID_LIKE").split_whitespace().find_map(known))
    }

    fn command(self) -> &'static str {
        match self {
            Manager::Apt => "apt-get install",
            Manager::Dnf => "dnf install",
            Manager::Zypper => "zypper install",
            Manager::Pacman => "pacman -S",
            Manager::Apk => "apk add",
        }
    }

    fn name(self, package: Package) -> String {
        let name = match (package, self) {
            (Package::Nftables, _) => "nftables",
            (Package::Conntrack, Manager::Apt) => "conntrack",
            (Package::Conntrack, _) => "conntrack-tools",
            (Package::Crun, _) => "crun",
            (Package::Kmod, _) => "kmod",
            (Package::Postgres(version), _) => return self.postgres(version),
            (Package::Psql, Manager::Apt | Manager::Apk) => "postgresql-client",
            (Package::Psql, Manager::Pacman) => "postgresql-libs",
            (Package::Psql, Manager::Dnf | Manager::Zypper) => "postgresql",
            (Package::MyHostname, _) => "libnss-myhostname",
            (Package::AwsCli, Manager::Apt) => "awscli",
            (Package::AwsCli, Manager::Dnf) => "awscli2",
            (Package::AwsCli, Manager::Pacman) => "aws-cli-v2",
            (Package::AwsCli, Manager::Zypper | Manager::Apk) => "aws-cli",
            (Package::Buildah, _) => "buildah",
            (Package::Librsvg, Manager::Apt) => "librsvg2-bin",
            (Package::Librsvg, Manager::Dnf) => "librsvg2-tools",
            (Package::Librsvg, Manager::Pacman) => "librsvg",
            (Package::Librsvg, Manager::Zypper | Manager::Apk) => "rsvg-convert",
        };
        name.to_owned()
    }

    fn postgres(self, version: Option<u32>) -> String {
        match (self, version) {
            (Manager::Apt, None) | (Manager::Apk, None) | (Manager::Pacman, _) => "postgresql".to_owned(),
            (Manager::Apt, Some(version)) => format!("postgresql-{version}"),
            (Manager::Apk, Some(version)) => format!("postgresql{version}"),
            (Manager::Dnf | Manager::Zypper, None) => "postgresql-server".to_owned(),
            (Manager::Dnf | Manager::Zypper, Some(version)) => format!("postgresql{version}-server"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_name_the_package_manager_of_the_system() {
        let postgres = Package::Postgres(Some(15));
        for (release, conntrack, database) in [
            ("ID=debian\n", "apt-get install conntrack", "apt-get install postgresql-15"),
            (
                "NAME=Mint\nID=linuxmint\nID_LIKE=\"ubuntu debian\"\n",
                "apt-get install conntrack",
                "apt-get install postgresql-15",
            ),
            ("ID=fedora\n", "dnf install conntrack-tools", "dnf install postgresql15-server"),
            (
                "ID=\"ol\"\nID_LIKE=\"fedora\"\n",
                "dnf install conntrack-tools",
                "dnf install postgresql15-server",
            ),
            (
                "ID=\"opensuse-leap\"\n",
                "zypper install conntrack-tools",
                "zypper install postgresql15-server",
            ),
            ("ID=manjaro\nID_LIKE=arch\n", "pacman -S conntrack-tools", "pacman -S postgresql"),
            ("ID=alpine\n", "apk add conntrack-tools", "apk add postgresql15"),
            (
                "ID=plan9\n",
                "install the package `conntrack` of your distribution",
                "install the package `postgresql-15` of your distribution",
            ),
        ] {
            let manager = Manager::of(release);
            assert_eq!(hint(manager, Package::Conntrack), conntrack, "{release}");
            assert_eq!(hint(manager, postgres), database, "{release}");
        }
        let elsewhere = hint(Some(Manager::Dnf), Package::MyHostname);
        assert_eq!(elsewhere, "add `myhostname` to the line `hosts:` of /etc/nsswitch.conf");
    }
}
