//! The languages that authql itself writes in: its mails, and the samples of them.

use super::Locale;

/// A language of mails. Everybody whose own is not among them reads English.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    /// `en`
    English,
    /// `ru`
    Russian,
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 2] = [Self::English, Self::Russian];

    /// The language for a locale, whatever its region or script: `ru`, `ru-RU` and `RU-Cyrl` are Russian.
    #[must_use]
    pub fn of(locale: &Locale) -> Self {
        let language = locale.as_str().split('-').next().unwrap_or_default();
        Self::ALL
            .into_iter()
            .find(|known| known.tag().eq_ignore_ascii_case(language))
            .unwrap_or(Self::English)
    }

    /// Its BCP 47 tag, which is also the name of its folder among the templates.
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Russian => "ru",
        }
    }
}

impl From<Language> for Locale {
    fn from(language: Language) -> Self {
        Self(language.tag().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_is_read_in_its_language_or_in_english() {
        for (tag, language) in [
            ("ru", Language::Russian),
            ("ru-RU", Language::Russian),
            ("RU-Cyrl-BY", Language::Russian),
            ("en", Language::English),
            ("en-GB", Language::English),
            ("rue", Language::English),
            ("uk", Language::English),
        ] {
            assert_eq!(Language::of(&Locale::parse(tag).unwrap()), language, "{tag}");
        }
    }
}
