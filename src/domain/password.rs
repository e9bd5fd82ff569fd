//! Passwords: which texts can be one, and which are too easy to guess (docs/security.md PWD-1 to PWD-5).

use secrecy::{ExposeSecret, SecretString};
use unicode_normalization::UnicodeNormalization;
use zxcvbn::feedback::Warning;

/// The most code points of a password, counted after normalisation.
const MAX_CODE_POINTS: usize = 256;
/// The most bytes of a password in UTF-8. What is longer is refused before it costs a hash.
const MAX_BYTES: usize = 1024;

/// The most code points that zxcvbn is given at once: it tries every spelling with digits for letters, and 100 of the worst
/// cost it a second, where 32 cost it 10 ms.
const MAX_JUDGED: usize = 32;
/// The most words of their owner that a password is compared with, the longest first.
const MAX_OWN_WORDS: usize = 24;
/// The shortest that counts as a word, in code points.
const MIN_OWN_WORD: usize = 3;
/// What has to remain of a long password, in code points, when its owner's words are taken out of it.
const MIN_UNKNOWN: usize = 8;

/// What zxcvbn takes for good passwords, and attackers try early: of the 19,640 most common ones of breaches (Royce Williams'
/// list, as Django ships it) those of eight ASCII characters or more that it scores 3 or more in lower case, upper case or with a
/// capital. It knows the others by itself.
const COMMON: &str = include_str!("password/common.txt");

/// Why a password is easy to guess of which the library says only that it is.
const OWN_WORDS: &str = "it is made of what others know of you";

/// A password as it is hashed: Unicode NFC, never trimmed, folded or cut. Wiped from memory when dropped.
#[derive(Clone)]
pub struct Password(SecretString);

/// Why a text cannot be anybody's password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// No text at all.
    #[error("a password is needed")]
    Missing,
    /// Over 256 code points or 1024 bytes.
    #[error("a password has at most 256 characters and 1024 bytes")]
    TooLong,
    /// With a NUL character.
    #[error("a password has no NUL characters")]
    Malformed,
}

/// What a new password must be like. Applies when one is chosen, not when one is presented.
#[derive(Debug, Clone, Copy)]
pub struct PasswordPolicy {
    /// The fewest code points after normalisation: 8 or more.
    pub min_length: usize,
}

/// Why a password must not be chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Weakness {
    /// Under the minimum length.
    #[error("use at least {min} characters")]
    TooShort {
        /// The fewest code points that are accepted.
        min: usize,
    },
    /// An attacker would try it early: zxcvbn scores it under 3 of 4.
    #[error("this password is easy to guess: {reason}")]
    TooCommon {
        /// What makes it easy, for the person who chose it.
        reason: &'static str,
    },
}

impl Weakness {
    /// It has been found in a data breach: attackers have it in their lists.
    pub const BREACHED: Self = Self::TooCommon { reason: "it has appeared in a data breach" };
}

impl Password {
    /// Normalises a text to NFC (SP 800-63B-4 3.1.1.2), so that composed and decomposed input log in alike.
    ///
    /// # Errors
    /// See [`PasswordError`].
    pub fn parse(text: &str) -> Result<Self, PasswordError> {
        if text.is_empty() {
            return Err(PasswordError::Missing);
        }
        // No normalisation shortens a text to a third, so what is refused here would be refused below as well.
        if text.len() > 3 * MAX_BYTES {
            return Err(PasswordError::TooLong);
        }
        if text.contains('\0') {
            return Err(PasswordError::Malformed);
        }
        let normalised: String = text.nfc().collect();
        if normalised.len() > MAX_BYTES || normalised.chars().count() > MAX_CODE_POINTS {
            return Err(PasswordError::TooLong);
        }
        Ok(Self(SecretString::from(normalised)))
    }

    /// Judges a password that somebody is about to choose. `known` is what an attacker knows of them, such as their address: it
    /// is tried early, each word of it is, and so is the name of this program.
    ///
    /// Costs up to 20 ms of processor time, whatever the text: not for an async thread.
    ///
    /// # Errors
    /// See [`Weakness`].
    pub fn check_strength(&self, policy: PasswordPolicy, known: &[&str]) -> Result<(), Weakness> {
        let text = self.0.expose_secret();
        if text.chars().count() < policy.min_length {
            return Err(Weakness::TooShort { min: policy.min_length });
        }
        let folded = text.to_lowercase();
        if COMMON.lines().any(|common| common == folded) {
            return Err(Weakness::TooCommon { reason: explain(Warning::ThisIsACommonPassword) });
        }
        let own_words = own_words(known);
        if text.chars().count() <= MAX_JUDGED {
            return judge(text, &own_words);
        }
        // A long one is as good as its better end. Neither end tells of a word that it cuts, so those are looked for first.
        if is_made_of(folded, &own_words) {
            return Err(Weakness::TooCommon { reason: OWN_WORDS });
        }
        judge(beginning(text), &own_words)
            .or_else(|weakness| judge(end(text), &own_words).map_err(|_| weakness))
    }

    /// The bytes to hash.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.expose_secret().as_bytes()
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(…)")
    }
}

/// What zxcvbn says of a text of bounded length.
fn judge(text: &str, own_words: &[&str]) -> Result<(), Weakness> {
    let estimate = zxcvbn::zxcvbn(text, own_words);
    if estimate.score() >= zxcvbn::Score::Three {
        return Ok(());
    }
    let is_own = |token: &str| own_words.iter().any(|word| word.to_lowercase() == token.to_lowercase());
    let reason = match estimate.feedback().and_then(zxcvbn::feedback::Feedback::warning) {
        _ if estimate.sequence().iter().any(|part| is_own(&part.token)) => OWN_WORDS,
        Some(warning) => explain(warning),
        None => "add another word or two, uncommon ones are better",
    };
    Err(Weakness::TooCommon { reason })
}

/// What an attacker tries early for this person: all that is known, and each word of it.
fn own_words<'a>(known: &[&'a str]) -> Vec<&'a str> {
    let words = known.iter().flat_map(|text| text.split(|c: char| !c.is_alphanumeric()));
    let mut own: Vec<&str> = known.iter().copied().chain(words).collect();
    own.retain(|word| word.chars().count() >= MIN_OWN_WORD);
    own.sort_by_key(|word| std::cmp::Reverse(word.len()));
    own.dedup();
    own.truncate(MAX_OWN_WORDS);
    own.push("authql");
    own
}

/// Whether hardly anything remains of a text without its owner's words.
fn is_made_of(folded: String, own_words: &[&str]) -> bool {
    let rest = own_words.iter().fold(folded, |rest, word| rest.replace(&word.to_lowercase(), ""));
    rest.chars().count() < MIN_UNKNOWN
}

/// The first of the code points that are judged at once.
fn beginning(text: &str) -> &str {
    text.char_indices().nth(MAX_JUDGED).map_or(text, |(end, _)| &text[..end])
}

/// The last of them.
fn end(text: &str) -> &str {
    text.char_indices().rev().nth(MAX_JUDGED - 1).map_or(text, |(start, _)| &text[start..])
}

fn explain(warning: Warning) -> &'static str {
    match warning {
        Warning::StraightRowsOfKeysAreEasyToGuess => "it is a straight row of keys",
        Warning::ShortKeyboardPatternsAreEasyToGuess => "it is a short pattern on the keyboard",
        Warning::RepeatsLikeAaaAreEasyToGuess | Warning::RepeatsLikeAbcAbcAreOnlySlightlyHarderToGuess => {
            "it repeats itself"
        }
        Warning::ThisIsATop10Password | Warning::ThisIsATop100Password | Warning::ThisIsACommonPassword => {
            "it is one of the passwords that are tried first"
        }
        Warning::ThisIsSimilarToACommonlyUsedPassword => "it is close to a password that many use",
        Warning::SequencesLikeAbcAreEasyToGuess => "it is a sequence such as abc or 6543",
        Warning::RecentYearsAreEasyToGuess | Warning::DatesAreOftenEasyToGuess => {
            "dates and years are tried early"
        }
        Warning::AWordByItselfIsEasyToGuess => "it is a single word",
        Warning::NamesAndSurnamesByThemselvesAreEasyToGuess
        | Warning::CommonNamesAndSurnamesAreEasyToGuess => "names are tried early",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: PasswordPolicy = PasswordPolicy { min_length: 8 };

    #[test]
    fn composed_and_decomposed_input_is_one_password() {
        let composed = Password::parse("caf\u{e9} au lait").unwrap();
        let decomposed = Password::parse("cafe\u{301} au lait").unwrap();
        assert_eq!(composed.as_bytes(), decomposed.as_bytes());
    }

    #[test]
    fn nothing_is_trimmed_or_cut() {
        assert_eq!(Password::parse("  spaced  ").unwrap().as_bytes(), b"  spaced  ");
        let long = "x".repeat(256);
        assert_eq!(Password::parse(&long).unwrap().as_bytes().len(), 256);
    }

    #[test]
    fn what_no_one_can_have_is_refused() {
        assert_eq!(Password::parse("").unwrap_err(), PasswordError::Missing);
        assert_eq!(Password::parse(&"x".repeat(257)).unwrap_err(), PasswordError::TooLong);
        assert_eq!(Password::parse(&"\u{1f600}".repeat(256)).map(|_| ()), Ok(()));
        assert_eq!(Password::parse(&"x".repeat(1_000_000)).unwrap_err(), PasswordError::TooLong);
        assert_eq!(Password::parse("nul\0nul\0nul").unwrap_err(), PasswordError::Malformed);
    }

    #[test]
    fn easy_passwords_are_named_as_such() {
        let judge = |text: &str| {
            Password::parse(text).unwrap().check_strength(POLICY, &["lovelace@example.com", "Ada"])
        };
        assert_eq!(judge("k3!Vx"), Err(Weakness::TooShort { min: 8 }));
        assert!(matches!(judge("password1"), Err(Weakness::TooCommon { .. })));
        for own in
            ["lovelace1815", "lovelace@example.com", "Lovelace@Example.com1", "ada-lovelace", "authql2026"]
        {
            assert_eq!(judge(own), Err(Weakness::TooCommon { reason: OWN_WORDS }), "{own}");
        }
        assert_eq!(judge("correct horse battery staple"), Ok(()));
    }

    /// PWD-5: of the most common ones of breaches, in the order of that list.
    #[test]
    fn what_attackers_try_first_is_refused_however_good_it_looks() {
        let common = "123456789 password 12345678 1234567890 qwertyuiop 987654321 1q2w3e4r5t 1q2w3e4r 1qaz2wsx qwerty123 \
            password1 18atcskd2w 3rjs1la7qe 123qweasd fqrg7cs493 iloveyou sunshine princess football baseball superman \
            zaq12wsx trustno1 starwars 88888888 11111111 87654321 qazwsxedc michelle computer corvette mercedes maverick \
            asdfghjkl dragon123 3odi15ngxb yuantuo2012 cjmasterinf diosesfiel uqa9ebw445 1v7upjw3nt yagjecc826 \
            111222tianya sz9kqcctwy d2xyw89sxj qti7zxh18u g9l2d1fzpy megaparol12345 liverpool chocolate elizabeth \
            butterfly charlie1 jennifer1 letmein123 welcome1 abcd1234 passw0rd p@ssw0rd qwer1234 1234qwer asdf1234";
        for password in common.split_whitespace() {
            for spelling in [password.to_owned(), password.to_uppercase()] {
                let verdict = Password::parse(&spelling).unwrap().check_strength(POLICY, &[]);
                assert!(matches!(verdict, Err(Weakness::TooCommon { .. })), "{spelling}");
            }
        }
    }

    #[test]
    fn length_is_counted_in_characters_as_people_see_them() {
        let policy = PasswordPolicy { min_length: 15 };
        let judge = |text: &str| Password::parse(text).unwrap().check_strength(policy, &[]);
        // Fourteen letters, of which seven are written as two code points each.
        assert_eq!(judge(&"e\u{301}k".repeat(7)), Err(Weakness::TooShort { min: 15 }));
        assert_eq!(judge("жёлтый конверт у окна"), Ok(()));
        assert_eq!(judge("correct horse b"), Ok(()));
    }

    #[test]
    fn a_long_password_is_judged_by_its_better_end() {
        let judge = |text: &str| {
            Password::parse(text)
                .unwrap()
                .check_strength(POLICY, &["countess.ada.lovelace@engine.example.com", "Ada"])
        };
        let padding = "a".repeat(60);
        assert_eq!(judge(&format!("{padding}kettle-orbit-velvet-stapler")), Ok(()));
        assert_eq!(judge(&format!("kettle-orbit-velvet-stapler{padding}")), Ok(()));
        for weak in [&padding, &"password".repeat(12), &"12345678".repeat(12)] {
            assert!(matches!(judge(weak), Err(Weakness::TooCommon { .. })), "{weak}");
        }
        for own in
            ["countess.ada.lovelace@engine.example.com", "Countess.Ada.Lovelace@engine.example.com2026!"]
        {
            assert_eq!(judge(own), Err(Weakness::TooCommon { reason: OWN_WORDS }), "{own}");
        }
    }

    /// BUD-1: what the library is given is bounded, however long the password and what is known of its owner are.
    #[test]
    fn no_text_is_judged_beyond_its_bounds() {
        let costly = "4@8({[<369&#!1/|0$5+7%2".repeat(12);
        for text in [&costly[..256], "\u{1f600}".repeat(256).as_str(), "short"] {
            for part in [beginning(text), end(text)] {
                assert!(part.chars().count() <= MAX_JUDGED, "{part}");
            }
            assert!(text.starts_with(beginning(text)) && text.ends_with(end(text)));
        }
        let many = (0..10_000).map(|number| format!("word{number}")).collect::<Vec<_>>().join(".");
        assert_eq!(own_words(&[&many]).len(), MAX_OWN_WORDS + 1);
    }

    #[test]
    fn a_password_cannot_be_printed() {
        assert_eq!(format!("{:?}", Password::parse("hunter2hunter2").unwrap()), "Password(…)");
    }
}
