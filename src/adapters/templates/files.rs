//! The files that mails are made from: the built-in ones, and those of an operator's folder in their place.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::brand::Brand;
use super::error::TemplateError;

/// Names and texts of the built-in files.
macro_rules! built_in {
    ($($name:literal)+) => { [$(($name, include_str!($name))),+] };
}

/// Everything that an operator's folder may hold, under the names it has there: the built-in templates, and a `brand.toml` that
/// changes nothing.
pub const FILES: [(&str, &str); 27] = built_in! {
    "brand.toml"
    "layout.html"
    "layout.txt"
    "en/common.jinja"
    "en/welcome.jinja"
    "en/verification.jinja"
    "en/already_registered.jinja"
    "en/password_reset.jinja"
    "en/password_changed.jinja"
    "en/email_change.jinja"
    "en/email_change_requested.jinja"
    "en/email_changed.jinja"
    "en/session_reuse.jinja"
    "en/too_many_sessions.jinja"
    "en/account_deleted.jinja"
    "ru/common.jinja"
    "ru/welcome.jinja"
    "ru/verification.jinja"
    "ru/already_registered.jinja"
    "ru/password_reset.jinja"
    "ru/password_changed.jinja"
    "ru/email_change.jinja"
    "ru/email_change_requested.jinja"
    "ru/email_changed.jinja"
    "ru/session_reuse.jinja"
    "ru/too_many_sessions.jinja"
    "ru/account_deleted.jinja"
};

/// Name, logo, colours and sender of an operator.
const BRAND: &str = "brand.toml";

/// The text of each template, and which of them are an operator's.
pub(super) struct Files {
    templates: BTreeMap<&'static str, String>,
    overridden: BTreeSet<&'static str>,
    brand: Option<String>,
}

impl Files {
    /// The built-in templates, where `folder` has none of that name.
    pub(super) fn read(folder: Option<&Path>) -> Result<Self, TemplateError> {
        let mut files = Self {
            templates: FILES
                .into_iter()
                .filter(|(name, _)| *name != BRAND)
                .map(|(name, text)| (name, text.to_owned()))
                .collect(),
            overridden: BTreeSet::new(),
            brand: None,
        };
        let Some(folder) = folder else { return Ok(files) };
        for name in names(folder)? {
            let path = folder.join(&name);
            let text =
                fs::read_to_string(&path).map_err(|source| TemplateError::Unreadable { path, source })?;
            if name == BRAND {
                files.brand = Some(text);
            } else if let Some((known, _)) = FILES.iter().find(|(known, _)| *known == name) {
                files.templates.insert(known, text);
                files.overridden.insert(known);
            } else {
                return Err(TemplateError::UnknownFile(name));
            }
        }
        Ok(files)
    }

    pub(super) fn templates(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.templates.iter().map(|(name, text)| (*name, text.as_str()))
    }

    /// The templates that are an operator's.
    pub(super) fn overridden(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.templates().filter(|(name, _)| self.overridden.contains(name))
    }

    pub(super) fn brand(&self) -> Result<Brand, TemplateError> {
        self.brand.as_deref().map_or_else(|| Ok(Brand::default()), |text| Brand::parse(text, BRAND))
    }
}

/// The files of a folder and of the folders in it, by their names from there, but for hidden ones.
fn names(folder: &Path) -> Result<Vec<String>, TemplateError> {
    let mut names = Vec::new();
    let mut below = vec![PathBuf::new()];
    while let Some(place) = below.pop() {
        let path = if place == Path::new("") { folder.to_owned() } else { folder.join(&place) };
        let unreadable = |source| TemplateError::Unreadable { path: path.clone(), source };
        for entry in fs::read_dir(&path).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let name = entry.file_name();
            if name.to_string_lossy().starts_with('.') {
                continue;
            }
            let name = place.join(name);
            // Follows links: that is how Kubernetes mounts a ConfigMap.
            if fs::metadata(entry.path()).map_err(unreadable)?.is_dir() {
                below.push(name);
            } else {
                names.push(name.to_string_lossy().into_owned());
            }
        }
    }
    names.sort_unstable();
    Ok(names)
}
