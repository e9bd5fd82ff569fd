//! Whose mails they are: `brand.toml` of an operator's folder.

use std::fmt;

use serde::Deserialize;

use super::error::TemplateError;
use crate::adapters::smtp;

/// Name, logo, colours and sender. What an operator leaves out is as it is without the file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct BrandFile {
    name: Option<Name>,
    logo: Option<Logo>,
    accent: Option<Colour>,
    accent_dark: Option<Colour>,
    sender: Option<Sender>,
}

/// What all mails have in common.
pub(super) struct Brand {
    /// The product that mails speak of.
    pub(super) name: Option<String>,
    /// The address of a picture for the head of a mail, shown 40 pixels high.
    pub(super) logo: Option<String>,
    /// The colour of the button on white.
    pub(super) accent: Colour,
    /// The same on a dark ground.
    pub(super) accent_dark: Colour,
    /// The `From` header.
    pub(super) sender: Option<String>,
}

/// A colour of sRGB, written as `#3b5bdb`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Colour([u8; 3]);

#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Name(String);

#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Logo(String);

#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Sender(String);

impl Brand {
    /// Reads a `brand.toml`. `file` is its name for the operator.
    pub(super) fn parse(text: &str, file: &str) -> Result<Self, TemplateError> {
        let brand: BrandFile = toml::from_str(text).map_err(|error| {
            let line = error.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            TemplateError::At { file: file.to_owned(), line, fault: error.message().to_owned() }
        })?;
        Ok(brand.into())
    }
}

impl Default for Brand {
    fn default() -> Self {
        BrandFile::default().into()
    }
}

impl From<BrandFile> for Brand {
    fn from(file: BrandFile) -> Self {
        // An accent that was chosen for white serves on dark ground too, unless there is one for that.
        let accent_dark = file.accent_dark.or(file.accent).unwrap_or(Colour([0xff, 0x79, 0xc6]));
        Self {
            name: file.name.map(|name| name.0),
            logo: file.logo.map(|logo| logo.0),
            accent: file.accent.unwrap_or(Colour([0xc4, 0x04, 0x7f])),
            accent_dark,
            sender: file.sender.map(|sender| sender.0),
        }
    }
}

impl Colour {
    /// Black or white, whichever can be read better on it (the contrast of WCAG 2.2).
    pub(super) fn ink(self) -> &'static str {
        let linear = |channel: u8| {
            let part = f64::from(channel) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        let [red, green, blue] = self.0.map(linear);
        let luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
        // (1 + 0.05) / (l + 0.05) against (l + 0.05) / 0.05.
        if (luminance + 0.05).powi(2) < 1.05 * 0.05 { "#ffffff" } else { "#000000" }
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

impl TryFrom<String> for Colour {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6);
        let number = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let [_, red, green, blue] =
            number.ok_or_else(|| format!("`{text}` is no colour: write it as #3b5bdb"))?.to_be_bytes();
        Ok(Self([red, green, blue]))
    }
}

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.trim() {
            "" => Err("the name is empty: write one, or leave it out".to_owned()),
            name if name.contains(char::is_control) || name.chars().count() > 60 => {
                Err("the name has more than 60 characters, or several lines: make it shorter".to_owned())
            }
            name => Ok(Self(name.to_owned())),
        }
    }
}

impl TryFrom<String> for Logo {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match url::Url::parse(&text) {
            Ok(url) if url.scheme() == "https" => Ok(Self(url.into())),
            _ => Err(format!(
                "`{text}` is no logo: write the address of a picture that begins with https://, the only ones that mail programs load"
            )),
        }
    }
}

impl TryFrom<String> for Sender {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match smtp::sender(&text) {
            Ok(_) => Ok(Self(text)),
            Err(_) => Err(format!("`{text}` is no sender: write it as Example <no-reply@example.com>")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_stays_as_it_is() {
        let brand = Brand::parse("name = ' Example '\naccent = '#3B5BDB'", "brand.toml").unwrap();
        assert_eq!(brand.name.as_deref(), Some("Example"));
        assert_eq!(
            (brand.accent.to_string(), brand.accent_dark.to_string()),
            ("#3b5bdb".into(), "#3b5bdb".into())
        );
        assert!(brand.logo.is_none() && brand.sender.is_none());
    }

    #[test]
    fn a_button_can_be_read_on_every_accent() {
        for (colour, ink) in [
            ("#000000", "#ffffff"),
            ("#c4047f", "#ffffff"),
            ("#3b5bdb", "#ffffff"),
            ("#ff79c6", "#000000"),
            ("#ffd43b", "#000000"),
            ("#ffffff", "#000000"),
        ] {
            assert_eq!(Colour::try_from(colour.to_owned()).unwrap().ink(), ink, "{colour}");
        }
    }

    #[test]
    fn each_mistake_is_named_with_its_line() {
        for (text, complaint) in [
            ("name = 'a'\ncolour = 'red'", "brand.toml, line 2: unknown field `colour`, expected one of"),
            ("accent = 'red'", "brand.toml, line 1: `red` is no colour: write it as #3b5bdb"),
            ("accent = '#12345g'", "is no colour"),
            ("\n\naccent_dark = 7", "brand.toml, line 3: invalid type: integer `7`"),
            ("logo = 'http://example.com/logo.png'", "begins with https://"),
            ("sender = 'Example'", "`Example` is no sender: write it as Example <no-reply@example.com>"),
            ("name = ''", "the name is empty"),
            ("name = \"a\\nb\"", "or several lines"),
            ("name = 'a", "brand.toml, line 1: "),
        ] {
            let error = Brand::parse(text, "brand.toml").map(drop).unwrap_err().to_string();
            assert!(error.contains(complaint), "{error}");
        }
    }
}
