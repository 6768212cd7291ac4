//! Ids: every kind has its own type, so that a subnet's id cannot be used as a VPC's.

use rand::{RngCore, SeedableRng, rngs::StdRng};
use std::cell::RefCell;

thread_local! {
    /// Set in simulations only.
    static SEEDED: RefCell<Option<StdRng>> = const { RefCell::new(None) };
}

/// The source of all generated ids, names and passwords: the machine's randomness, unless this thread was
/// [seeded](seed).
pub fn rng() -> impl RngCore {
    Random
}

/// Makes this thread generate the same values as any other thread with this seed, for repeatable simulations. It would make
/// real secrets predictable: `cargo xtask tidy` checks that only `tests/` calls it.
pub fn seed(seed: u64) {
    SEEDED.with(|s| *s.borrow_mut() = Some(StdRng::seed_from_u64(seed)));
}

struct Random;

impl RngCore for Random {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, to: &mut [u8]) {
        SEEDED.with(|s| match s.borrow_mut().as_mut() {
            Some(seeded) => seeded.fill_bytes(to),
            None => rand::rng().fill_bytes(to),
        });
    }
}

/// `n` random lower-case hexadecimal digits.
pub fn random_hex(n: usize) -> String {
    let mut bytes = vec![0u8; n.div_ceil(2)];
    rng().fill_bytes(&mut bytes);
    let mut text: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    text.truncate(n);
    text
}

/// `n` random characters of `A-Z0-9`, the form of IAM ids, CloudFront ids and access keys.
pub fn random_upper(n: usize) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut bytes = vec![0u8; n];
    rng().fill_bytes(&mut bytes);
    bytes.iter().map(|b| char::from(LETTERS[usize::from(b & 31)])).collect()
}

/// A random UUID (version 4).
pub fn random_uuid() -> String {
    let mut b = [0u8; 16];
    rng().fill_bytes(&mut b);
    b[6] = (b[6] & 0x0f) | 0x40;
    b[8] = (b[8] & 0x3f) | 0x80;
    let h: String = b.iter().map(|x| format!("{x:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &h[..8], &h[8..12], &h[12..16], &h[16..20], &h[20..])
}

/// Declares id types of the form `prefix-<17 hexadecimal digits>`.
///
/// ```
/// escale_base::id! { /// A VPC.
///     VpcId = "vpc-"; }
/// let id = VpcId::random();
/// assert!(id.as_str().starts_with("vpc-"));
/// ```
#[macro_export]
macro_rules! id {
    ($($(#[$meta:meta])* $name:ident = $prefix:literal;)+) => { $(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub String);

        impl $name {
            pub const PREFIX: &'static str = $prefix;
            pub fn random() -> Self { Self(format!("{}{}", $prefix, $crate::ids::random_hex(17))) }
            pub fn as_str(&self) -> &str { &self.0 }
        }
        $crate::text_type!($name);
    )+ };
}

/// What [`id!`](crate::id!) and [`name!`](crate::name!) have in common: conversions, comparison with text, the wire's and the
/// stored form.
#[doc(hidden)]
#[macro_export]
macro_rules! text_type {
    ($name:ident) => {
        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.pad(&self.0)
            }
        }
        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }
        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.0 == other
            }
        }
        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.0 == *other
            }
        }
        impl $crate::Wire for $name {
            fn read(value: &$crate::wire::Value) -> Result<Self, $crate::wire::ReadError> {
                <String as $crate::Wire>::read(value).map(Self)
            }
            fn write(&self) -> $crate::wire::Value {
                self.0.clone().into()
            }
        }
        impl $crate::choice::serde::Serialize for $name {
            fn serialize<S: $crate::choice::serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(&self.0)
            }
        }
        impl<'de> $crate::choice::serde::Deserialize<'de> for $name {
            fn deserialize<D: $crate::choice::serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                <String as $crate::choice::serde::Deserialize>::deserialize(d).map(Self)
            }
        }
    };
}

/// Declares types for names, ARNs and other ids that have no prefix of their own: text that names one kind of thing. One is
/// read wherever `&str` is.
///
/// ```
/// escale_base::name! { /// A cluster's name.
///     ClusterName; }
/// let name = ClusterName::from("shop");
/// assert_eq!(name, "shop");
/// assert!(name.starts_with('s'));
/// ```
#[macro_export]
macro_rules! name {
    ($($(#[$meta:meta])* $name:ident;)+) => { $(
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub String);

        impl $name {
            pub fn as_str(&self) -> &str { &self.0 }
        }
        impl ::std::ops::Deref for $name {
            type Target = str;
            fn deref(&self) -> &str { &self.0 }
        }
        $crate::text_type!($name);
        impl From<$name> for String { fn from(name: $name) -> String { name.0 } }
        impl ::std::borrow::Borrow<str> for $name { fn borrow(&self) -> &str { &self.0 } }
        impl PartialEq<String> for $name { fn eq(&self, other: &String) -> bool { self.0 == *other } }
        impl PartialEq<$name> for String { fn eq(&self, other: &$name) -> bool { *self == other.0 } }
        impl PartialEq<$name> for str { fn eq(&self, other: &$name) -> bool { self == other.0 } }
        impl PartialEq<$name> for &str { fn eq(&self, other: &$name) -> bool { *self == other.0 } }
    )+ };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seeded_thread_repeats_itself() {
        let made = |with: Option<u64>| {
            std::thread::spawn(move || {
                with.into_iter().for_each(seed);
                (random_hex(17), random_upper(20), random_uuid())
            })
            .join()
            .unwrap()
        };
        assert_eq!(made(Some(7)), made(Some(7)));
        assert_ne!(made(Some(7)), made(Some(8)));
        assert_ne!(made(None), made(None));
    }
}
