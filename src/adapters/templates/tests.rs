//! Every mail as it is read, and what an operator may change.

use std::fs;

use tempfile::TempDir;

use super::*;
use crate::domain::{Locale, MailKind};

fn stationery(folder: Option<&TempDir>) -> Stationery {
    Stationery {
        folder: folder.map(|folder| folder.path().to_owned()),
        sender: None,
        site: "auth.example.com".to_owned(),
        frontend_url: "https://app.example.com".to_owned(),
    }
}

/// A folder of an operator, with these files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn with(files: &[(&str, &str)]) -> Result<Templates, TemplateError> {
    Templates::load(&stationery(Some(&folder(files))))
}

/// A built-in template, with one thing changed.
fn changed(name: &str, from: &str, to: &str) -> String {
    let (_, text) = FILES.iter().find(|(known, _)| *known == name).unwrap();
    assert!(text.contains(from), "{name} has no {from}");
    text.replace(from, to)
}

fn welcome(templates: &Templates) -> Content {
    templates.render(&sample::mail(MailKind::Welcome, Language::English)).unwrap()
}

/// Whole, so that whoever changes a word or the layout sees what it does to each mail: `snapshots/`.
#[test]
fn every_mail_reads_as_it_should() {
    let templates = Templates::load(&stationery(None)).unwrap();
    for language in Language::ALL {
        for (mail, Content { subject, text, html }) in templates.samples(language).unwrap() {
            let name = format!("{}-{}", language.tag(), mail.kind.as_str());
            insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
                insta::assert_snapshot!(name, format!("{subject}\n\n{text}\n\n{html}"));
            });
        }
    }
}

#[test]
fn a_mail_is_in_the_language_of_its_reader() {
    let templates = Templates::load(&stationery(None)).unwrap();
    for (locale, greeting, without_name) in [
        ("ru-RU", "Здравствуйте, Ada!", "Здравствуйте!"),
        ("en-GB", "Hello Ada,", "Hello,"),
        ("de", "Hello Ada,", "Hello,"),
    ] {
        let mut mail = sample::mail(MailKind::Welcome, Language::English);
        mail.locale = Locale::parse(locale).unwrap();
        assert!(templates.render(&mail).unwrap().text.starts_with(greeting), "{locale}");
        mail.name = None;
        assert!(templates.render(&mail).unwrap().text.starts_with(without_name), "{locale}");
    }
}

#[test]
fn a_name_is_text_and_never_markup() {
    let templates = Templates::load(&stationery(None)).unwrap();
    let name = r#"<b title="x">Ada<b> & {{ link }}'s"#;
    let mut mail = sample::mail(MailKind::Welcome, Language::English);
    mail.name = PersonName::parse(name).unwrap();
    let content = templates.render(&mail).unwrap();
    assert!(content.text.starts_with(&format!("Hello {name},")), "{}", content.text);
    let escaped = "Hello &lt;b title=&quot;x&quot;&gt;Ada&lt;b&gt; &amp; {{ link }}&#39;s,";
    assert!(content.html.contains(escaped), "{}", content.html);
}

/// The name of somebody who registers a stranger's address is read by the stranger.
#[test]
fn a_name_advertises_nothing() {
    let templates = Templates::load(&stationery(None)).unwrap();
    let mut mail = sample::mail(MailKind::Welcome, Language::English);
    mail.name = PersonName::parse("You have won, see prizes.example").unwrap();
    let content = templates.render(&mail).unwrap();
    assert!(content.text.starts_with("Hello,\n"), "{}", content.text);
    assert!(!content.html.contains("prizes"), "{}", content.html);
}

#[test]
fn the_product_is_named_after_the_brand_the_sender_or_the_host() {
    let subject = |brand: &str, sender: Option<&str>| {
        let folder = folder(&[("brand.toml", brand)]);
        let stationery = Stationery { sender: sender.map(str::to_owned), ..stationery(Some(&folder)) };
        welcome(&Templates::load(&stationery).unwrap()).subject
    };
    assert_eq!(subject("name = 'Brand'", Some("Sender <a@example.com>")), "Welcome to Brand");
    assert_eq!(subject("", Some("Sender <a@example.com>")), "Welcome to Sender");
    assert_eq!(subject("sender = 'File <a@example.com>'", None), "Welcome to File");
    assert_eq!(subject("", Some("a@example.com")), "Welcome to auth.example.com");
}

#[test]
fn an_operator_replaces_what_they_like_and_the_rest_stays() {
    let templates = with(&[
        ("brand.toml", "name = 'Example'\nlogo = 'https://example.com/logo.png'\naccent = '#ffd43b'\nsender = 'Ex <a@example.com>'"),
        ("en/welcome.jinja", &changed("en/welcome.jinja", "Your account is ready.", "Here we go, {{ name or 'you' }}.")),
        (".git/config", "not looked at"),
    ])
    .unwrap();
    assert_eq!(templates.sender(), "Ex <a@example.com>");
    let content = welcome(&templates);
    assert!(content.text.contains("Here we go, Ada. Sign in with"), "{}", content.text);
    assert!(
        content.html.contains(r#"<img src="https://example.com/logo.png" alt="Example""#),
        "{}",
        content.html
    );
    assert!(
        content.html.contains(r##"bgcolor="#ffd43b""##) && content.html.contains("color:#000000"),
        "{}",
        content.html
    );
    let russian = templates.render(&sample::mail(MailKind::Welcome, Language::Russian)).unwrap();
    assert_eq!(russian.subject, "Добро пожаловать в Example");
}

#[test]
fn a_setting_wins_over_the_sender_of_the_brand() {
    let folder = folder(&[("brand.toml", "sender = 'File <file@example.com>'")]);
    let sender = Some("Setting <setting@example.com>".to_owned());
    let templates = Templates::load(&Stationery { sender, ..stationery(Some(&folder)) }).unwrap();
    assert_eq!(templates.sender(), "Setting <setting@example.com>");
}

#[test]
fn what_is_broken_stops_the_start_with_file_and_line() {
    let welcome = |from, to| ("en/welcome.jinja", changed("en/welcome.jinja", from, to));
    let text = |name, text: &str| (name, text.to_owned());
    for ((name, text), complaint) in [
        (
            text("en/welcom.jinja", ""),
            "en/welcom.jinja replaces nothing: give it the name of a built-in file",
        ),
        (text("de/welcome.jinja", ""), "de/welcome.jinja replaces nothing"),
        (text("brand.toml", "name = 'a'\naccent = 'red'"), "brand.toml, line 2: `red` is no colour"),
        (welcome("{% set action %}", "{% set action }"), "en/welcome.jinja, line 9: syntax error"),
        (welcome("{{ email|strong }}", "{{ email|bold }}"), "en/welcome.jinja, line 5: unknown filter"),
        (
            welcome("{{ email|strong }}", "{{ e_mail }}"),
            "en/welcome.jinja, line 5: there is no `e_mail`: use accent, ",
        ),
        // Where no sample comes by.
        (
            welcome("ready. Sign", "ready{% if email == '' %}{{ nmae }}{% endif %}. Sign"),
            "line 5: there is no `nmae`",
        ),
        (
            welcome("set heading", "set headline"),
            "en/welcome.jinja: `heading` is missing: add {% set heading %}",
        ),
        (welcome("Confirm my address", ""), "en/welcome.jinja: `action` is missing"),
        (
            welcome("{% set preheader", "{% set note %}{% endset %}{% set preheader"),
            "sets `note`, which no layout shows",
        ),
        (
            text("ru/common.jinja", "{% set greeting %}Привет{% endset %}"),
            "ru/common.jinja: `link_hint` is missing",
        ),
        (text("layout.html", "{{ subject }} {{ titel }}"), "layout.html, line 1: there is no `titel`"),
        (text("layout.txt", "{{ greeting }} {{ body }}"), "layout.txt: does not show the link of welcome"),
    ] {
        let error = with(&[(name, &text)]).map(drop).unwrap_err().to_string();
        assert!(error.starts_with("AUTHQL_MAIL_TEMPLATES: ") && error.contains(complaint), "{error}");
    }
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let folder = Some("/nowhere/mail".into());
    let error =
        Templates::load(&Stationery { folder, ..stationery(None) }).map(drop).unwrap_err().to_string();
    assert!(error.starts_with("AUTHQL_MAIL_TEMPLATES: /nowhere/mail cannot be read ("), "{error}");
}
