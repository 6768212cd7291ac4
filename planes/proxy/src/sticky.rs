//! Sticky sessions: a cookie leads a client to the target, or the group, that answered it before.
//!
//! A cookie has the time of its end, a tag of the target or group, and a code over both with the balancer's key. So it shows
//! nothing of the network, and a client cannot make one that leads to a target of its choice.

use crate::{
    serve::Scheme,
    spec::{Cookies, Sticky},
    table::{Forward, Group, by_weight},
    target::{Lease, Target},
};
use escale_base::Timestamp;
use hmac::{Hmac, Mac};
use http::{HeaderMap, HeaderValue, header};
use sha2::Sha256;
use std::{net::SocketAddr, sync::Arc};

const TIME_BYTES: usize = 8;
const TAG_BYTES: usize = 8;
const CODE_BYTES: usize = 16;

/// What identifies a target or a group in cookies of one balancer.
pub(crate) type Tag = [u8; TAG_BYTES];

/// What a cookie is for. One kind is not valid as another.
#[derive(Clone, Copy)]
enum Kind {
    Target,
    Application,
    Group,
}

/// The balancer's key with the names of its cookies.
pub(crate) struct Jar {
    key: Hmac<Sha256>,
    names: Cookies,
}

/// The sessions of one request: what it chose, and the cookies for its answer.
pub(crate) struct Session<'a> {
    jar: &'a Jar,
    sticky: Option<&'a Sticky>,
    group: Option<(Tag, u64)>,
    target: Tag,
    /// The request has the cookies of the application and of the balancer: the session goes on.
    goes_on: bool,
}

impl Jar {
    pub(crate) fn new(names: &Cookies) -> Jar {
        Jar { key: keyed(names.key.reveal().as_bytes()), names: names.clone() }
    }

    pub(crate) fn tag_of_group(&self, name: &str) -> Tag {
        self.tag(&[b"group", name.as_bytes()])
    }

    pub(crate) fn tag_of_target(&self, group: &str, addr: SocketAddr) -> Tag {
        self.tag(&[b"target", group.as_bytes(), addr.to_string().as_bytes()])
    }

    fn tag(&self, parts: &[&[u8]]) -> Tag {
        let code = self.code(parts);
        std::array::from_fn(|i| code[i])
    }

    fn code(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.key.clone();
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    fn bake(&self, kind: Kind, tag: Tag, until: i64) -> String {
        let time = until.to_be_bytes();
        let code = self.code(&[kind.word(), &time, &tag]);
        let bytes = time.iter().chain(&tag).chain(&code[..CODE_BYTES]);
        bytes.map(|byte| format!("{byte:02x}")).collect()
    }

    /// The tag in the first valid cookie of this name.
    fn read(&self, kind: Kind, name: &str, headers: &HeaderMap, now: Timestamp) -> Option<Tag> {
        values(headers, name).find_map(|value| {
            let bytes = unhex(value)?;
            let (time, rest) = bytes.split_at_checked(TIME_BYTES)?;
            let (tag, code) = rest.split_at_checked(TAG_BYTES)?;
            let mut mac = self.key.clone();
            for part in [kind.word(), time, tag] {
                mac.update(&(part.len() as u64).to_be_bytes());
                mac.update(part);
            }
            let whole = code.len() == CODE_BYTES && mac.verify_truncated_left(code).is_ok();
            let until = i64::from_be_bytes(time.try_into().ok()?);
            (whole && now.secs() < until).then(|| tag.try_into().ok())?
        })
    }
}

impl Kind {
    fn word(self) -> &'static [u8] {
        match self {
            Kind::Target => b"t",
            Kind::Application => b"a",
            Kind::Group => b"g",
        }
    }
}

/// A key of any length is valid, so this cannot fail.
fn keyed(key: &[u8]) -> Hmac<Sha256> {
    match Hmac::new_from_slice(key) {
        Ok(keyed) => keyed,
        Err(_) => Hmac::new(&Default::default()),
    }
}

/// Chooses a group and one of its targets. `None`: there is none to choose.
pub(crate) fn choose<'a>(
    jar: &'a Jar,
    forward: &'a Forward,
    headers: &HeaderMap,
    now: Timestamp,
) -> Option<(Lease, Option<Session<'a>>)> {
    let is_group_sticky = forward.sticky_s.filter(|_| forward.groups.len() > 1);
    let known = is_group_sticky.and_then(|_| {
        let tag = [&jar.names.group, &jar.names.group_cors]
            .into_iter()
            .find_map(|name| jar.read(Kind::Group, name, headers, now))?;
        forward.groups.iter().map(|(_, group)| group).find(|group| group.tag == tag)
    });
    let group = known.or_else(|| by_weight(&forward.groups))?;
    let sticky = group.sticky.as_ref();
    let before = sticky.and_then(|sticky| target_of(jar, sticky, headers, now));
    let lease = before.and_then(|tag| group.again(tag)).or_else(|| group.choose())?;
    if sticky.is_none() && is_group_sticky.is_none() {
        return Some((lease, None));
    }
    let session = Session {
        jar,
        sticky,
        group: is_group_sticky.map(|seconds| (group.tag, seconds)),
        target: lease.tag,
        goes_on: before.is_some(),
    };
    Some((lease, Some(session)))
}

fn target_of(jar: &Jar, sticky: &Sticky, headers: &HeaderMap, now: Timestamp) -> Option<Tag> {
    let names = &jar.names;
    match sticky {
        Sticky::Own { .. } => [&names.target, &names.target_cors]
            .into_iter()
            .find_map(|name| jar.read(Kind::Target, name, headers, now)),
        // Without the application's own cookie the session has ended.
        Sticky::Application { cookie, .. } => {
            values(headers, cookie).next()?;
            jar.read(Kind::Application, &names.application, headers, now)
        }
    }
}

impl Session<'_> {
    /// Adds the cookies to the answer of the chosen target.
    pub(crate) fn mark(&self, answer: &mut HeaderMap, scheme: Scheme, now: Timestamp) {
        let names = &self.jar.names;
        let mut set = Vec::new();
        let mut both = |kind, tag, seconds: u64, (name, cors): (&String, &String)| {
            let until = now.plus_ms(i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX));
            let value = self.jar.bake(kind, tag, until.secs());
            let expires = until.http_date();
            set.push(format!("{name}={value}; Expires={expires}; Path=/"));
            if !cors.is_empty() {
                // Browsers accept SameSite=None only over HTTPS, and there only with Secure.
                let secure = if scheme == Scheme::Https { "; Secure" } else { "" };
                set.push(format!("{cors}={value}; Expires={expires}; Path=/; SameSite=None{secure}"));
            }
        };
        if let Some((tag, seconds)) = self.group {
            both(Kind::Group, tag, seconds, (&names.group, &names.group_cors));
        }
        match self.sticky {
            Some(Sticky::Own { seconds }) => {
                both(Kind::Target, self.target, *seconds, (&names.target, &names.target_cors));
            }
            // The session begins with the application's cookie, and each request extends it.
            Some(Sticky::Application { cookie, seconds }) if self.goes_on || sets(answer, cookie) => {
                both(Kind::Application, self.target, *seconds, (&names.application, &String::new()));
            }
            _ => {}
        }
        for cookie in set {
            if let Ok(cookie) = HeaderValue::try_from(cookie) {
                answer.append(header::SET_COOKIE, cookie);
            }
        }
    }
}

impl Group {
    /// The target of an earlier request, unless it is gone, drains, or is unhealthy while another one is healthy.
    fn again(&self, tag: Tag) -> Option<Lease> {
        let target: &Arc<Target> = self.targets.iter().find(|target| target.tag == tag)?;
        let may_answer =
            target.is_healthy() || !self.targets.iter().any(|t| t.is_healthy() && !t.is_draining());
        Lease::take(target).filter(|_| may_answer)
    }
}

/// The values of the request's cookies of this name.
fn values<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter_map(move |(n, value)| (n == name).then_some(value))
}

/// Whether the answer sets the cookie.
fn sets(answer: &HeaderMap, name: &str) -> bool {
    let lines = answer.get_all(header::SET_COOKIE).iter().filter_map(|v| v.to_str().ok());
    lines.into_iter().any(|line| line.trim_start().split_once('=').is_some_and(|(n, _)| n.trim() == name))
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 2 * (TIME_BYTES + TAG_BYTES + CODE_BYTES) || !text.bytes().all(|b| b.is_ascii_hexdigit())
    {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use escale_base::Secret;

    fn jar(key: &str) -> Jar {
        Jar::new(&Cookies { key: Secret::new(key.into()), ..Cookies::default() })
    }

    fn with(cookie: &str) -> HeaderMap {
        [(header::COOKIE, cookie.parse().unwrap())].into_iter().collect()
    }

    #[test]
    fn only_own_unchanged_cookies_are_valid() {
        let (now, own) = (Timestamp(1_000_000), jar("k"));
        let value = own.bake(Kind::Target, [7; TAG_BYTES], 1010);
        let read = |jar: &Jar, kind, cookie: &str, now| jar.read(kind, "A", &with(cookie), now);
        let cookie = format!("x=1; A=junk; A={value}");
        assert_eq!(read(&own, Kind::Target, &cookie, now), Some([7; TAG_BYTES]));
        assert_eq!(read(&own, Kind::Target, &cookie, Timestamp(1_010_000)), None, "it has ended");
        assert_eq!(read(&own, Kind::Group, &cookie, now), None, "of another kind");
        assert_eq!(read(&jar("other"), Kind::Target, &cookie, now), None, "of another balancer");
        for at in 0..value.len() {
            let mut changed = value.clone().into_bytes();
            changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
            let changed = format!("A={}", String::from_utf8(changed).unwrap());
            assert_eq!(read(&own, Kind::Target, &changed, now), None, "{changed}");
        }
        for broken in ["A=", "A=00", "A=é", &format!("A={}", &value[..62]), &format!("A={value}00")] {
            assert_eq!(read(&own, Kind::Target, broken, now), None, "{broken}");
        }
    }
}
