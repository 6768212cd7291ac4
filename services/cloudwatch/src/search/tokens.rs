//! Tokens of names, and whether a term matches them.
//!
//! A name has a token for each word and number in it: `Project2-trial333` has `project`, `2`, `trial` and `333`. Words end where the
//! case changes. The name as a whole, without other characters than letters and digits, is a token as well.

/// Whether a term without quotes matches a name: one token of the name, or several that follow one another.
pub(super) fn matches(term: &str, name: &str) -> bool {
    let whole = |text: &str| -> String {
        text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    if whole(term) == whole(name) {
        return true;
    }
    let wanted: Vec<(String, bool)> = words(term).flat_map(pieces).collect();
    let own: Vec<(String, bool)> = words(name).flat_map(pieces).collect();
    let is_equal = |((wanted, is_alone), (own, _)): (&(String, bool), &(String, bool))| {
        // A word that has several tokens is compared with its case: `customCount` is not `CustomCount`.
        if *is_alone { wanted.to_lowercase() == own.to_lowercase() } else { wanted == own }
    };
    !wanted.is_empty() && own.windows(wanted.len()).any(|part| wanted.iter().zip(part).all(is_equal))
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// The tokens of a word, each with whether it is the only one.
fn pieces(word: &str) -> Vec<(String, bool)> {
    let chars: Vec<char> = word.chars().collect();
    let begins = |at: usize| {
        let (before, here, after) = (chars[at - 1], chars[at], chars.get(at + 1));
        let is_number = before.is_numeric() != here.is_numeric();
        let is_word = here.is_uppercase() && before.is_lowercase();
        // The last capital of `SDBFailure` begins a word.
        let ends_capitals =
            here.is_uppercase() && before.is_uppercase() && after.is_some_and(|c| c.is_lowercase());
        is_number || is_word || ends_capitals
    };
    let mut bounds: Vec<usize> = (1..chars.len()).filter(|at| begins(*at)).collect();
    bounds.insert(0, 0);
    bounds.push(chars.len());
    let is_alone = bounds.len() == 2;
    bounds.windows(2).map(|w| (chars[w[0]..w[1]].iter().collect(), is_alone)).collect()
}
