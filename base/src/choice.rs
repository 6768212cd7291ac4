//! `choice!`: an AWS enumeration as a Rust enum, with AWS's spellings.

/// Declares an enum whose variants have AWS's spelling; gives `ALL`, `as_str`, `FromStr`, `Display`, serde
/// and [`Wire`](crate::Wire), all by that spelling.
///
/// ```
/// escale_base::choice! {
///     /// How a target is addressed.
///     pub enum TargetType { Instance = "instance", Ip = "ip" }
/// }
/// assert_eq!("ip".parse::<TargetType>().unwrap(), TargetType::Ip);
/// assert_eq!(TargetType::Ip.as_str(), "ip");
/// ```
#[macro_export]
macro_rules! choice {
    ($(#[$meta:meta])* $vis:vis enum $name:ident { $($(#[$vmeta:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        $vis enum $name { $($(#[$vmeta])* $variant),+ }

        #[allow(dead_code)]
        impl $name {
            $vis const ALL: &'static [$name] = &[$($name::$variant),+];
            /// AWS's spelling.
            $vis fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word),+ }
            }
        }
        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result { f.pad(self.as_str()) }
        }
        impl ::std::str::FromStr for $name {
            type Err = $crate::choice::UnknownWord;
            fn from_str(word: &str) -> Result<Self, Self::Err> {
                match word {
                    $($word => Ok($name::$variant),)+
                    _ => Err($crate::choice::UnknownWord {
                        word: word.to_owned(), what: stringify!($name), known: &[$($word),+],
                    }),
                }
            }
        }
        impl $crate::Wire for $name {
            const CHOICES: Option<&'static [&'static str]> = Some(&[$($word),+]);
            fn read(value: &$crate::wire::Value) -> Result<Self, $crate::wire::ReadError> {
                <String as $crate::Wire>::read(value)?.parse()
                    .map_err(|e: $crate::choice::UnknownWord| $crate::wire::ReadError::new(e.to_string()))
            }
            fn write(&self) -> $crate::wire::Value { self.as_str().into() }
        }
        impl $crate::choice::serde::Serialize for $name {
            fn serialize<S: $crate::choice::serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(self.as_str())
            }
        }
        impl<'de> $crate::choice::serde::Deserialize<'de> for $name {
            fn deserialize<D: $crate::choice::serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let word = <String as $crate::choice::serde::Deserialize>::deserialize(d)?;
                word.parse().map_err($crate::choice::serde::de::Error::custom)
            }
        }
    };
}

#[doc(hidden)]
pub use serde;

/// A value that is not in an enumeration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{word}' is not a {what}; expected one of {}", known.join(", "))]
pub struct UnknownWord {
    pub word: String,
    pub what: &'static str,
    pub known: &'static [&'static str],
}
