//! Random passwords by the rules of GetRandomPassword.

use crate::Error;
use escale_base::Wire;
use rand::{Rng, seq::SliceRandom};

const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS: &str = "0123456789";
const PUNCTUATION: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

#[derive(Debug, Default, Wire)]
pub(crate) struct Rules {
    pub password_length: Option<usize>,
    pub exclude_characters: Option<String>,
    pub exclude_numbers: Option<bool>,
    pub exclude_punctuation: Option<bool>,
    pub exclude_uppercase: Option<bool>,
    pub exclude_lowercase: Option<bool>,
    pub include_space: Option<bool>,
    pub require_each_included_type: Option<bool>,
}

pub(crate) fn random(rules: &Rules) -> Result<String, Error> {
    let length = rules.password_length.unwrap_or(32);
    if !(1..=4096).contains(&length) {
        return Err(Error::Parameter(format!("PasswordLength {length} is not between 1 and 4096")));
    }
    let excluded = rules.exclude_characters.as_deref().unwrap_or("");
    let kinds = [
        (LOWER, !rules.exclude_lowercase.unwrap_or(false)),
        (UPPER, !rules.exclude_uppercase.unwrap_or(false)),
        (DIGITS, !rules.exclude_numbers.unwrap_or(false)),
        (PUNCTUATION, !rules.exclude_punctuation.unwrap_or(false)),
        (" ", rules.include_space.unwrap_or(false)),
    ];
    let allowed = |text: &str| text.chars().filter(|c| !excluded.contains(*c)).collect::<Vec<char>>();
    let kinds: Vec<Vec<char>> =
        kinds.iter().filter(|(_, on)| *on).map(|(text, _)| allowed(text)).filter(|k| !k.is_empty()).collect();
    let all: Vec<char> = kinds.concat();
    if all.is_empty() {
        return Err(Error::Parameter("All characters are excluded".into()));
    }
    let mut random = escale_base::ids::rng();
    let mut pick = |from: &[char]| from[random.random_range(0..from.len())];
    let mut password: Vec<char> = Vec::with_capacity(length);
    if rules.require_each_included_type.unwrap_or(true) {
        if kinds.len() > length {
            let what =
                format!("PasswordLength {length} is too short for one character of each included type");
            return Err(Error::Parameter(what));
        }
        password.extend(kinds.iter().map(|kind| pick(kind)));
    }
    password.extend((password.len()..length).map(|_| pick(&all)));
    // The characters of the required types came first.
    password.shuffle(&mut escale_base::ids::rng());
    Ok(password.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn password_follows_the_rules() {
        let text = random(&Rules { password_length: Some(4), ..Rules::default() }).unwrap();
        for kind in [LOWER, UPPER, DIGITS, PUNCTUATION] {
            assert!(text.chars().any(|c| kind.contains(c)), "{text}");
        }
        let plain = Rules {
            exclude_punctuation: Some(true),
            exclude_characters: Some("abc0".into()),
            ..Rules::default()
        };
        let text = random(&plain).unwrap();
        assert_eq!(text.len(), 32);
        assert!(text.chars().all(|c| c.is_ascii_alphanumeric() && !"abc0".contains(c)), "{text}");
        assert!(random(&Rules { password_length: Some(3), ..Rules::default() }).is_err());
    }
}
