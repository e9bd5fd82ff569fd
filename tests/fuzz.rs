//! What strangers write, as no client would write it: nothing of it may panic, and what is taken for good is good
//! (docs/security.md GQL-12, MAI-5, PWD-10).

use authql::adapters::device_tokens::HmacDeviceTokens;
use authql::adapters::jwt::JwtTokens;
use authql::adapters::mail_tokens::HmacMailTokens;
use authql::adapters::root_secret::{RootSecret, RootSecrets};
use authql::domain::{
    DeviceInfo, EmailAddress, Locale, MailTokenPurpose, Password, PersonName, RequestId, TrustedProxies,
};
use authql::graphql::{self, TrustedDocuments};
use authql::ports::{DeviceTokens, MailTokens, Tokens};
use chrono::{DateTime, TimeDelta};
use proptest::prelude::*;

fn secrets() -> RootSecrets {
    let secret = "a3Vx0mJm1n9cYd8rT5uWzA7bK2eP4hLs6fGiNoQtRvE=".to_owned().into();
    RootSecrets { present: RootSecret::new(&secret), previous: None }
}

/// Any text, and texts that are nearly what is wanted: pieces of it in a wrong order.
fn text(pieces: &'static [&'static str]) -> impl Strategy<Value = String> {
    let nearly = proptest::collection::vec(
        prop_oneof![4 => proptest::sample::select(pieces).prop_map(str::to_owned), 1 => "\\PC{0,4}", 1 => any::<char>().prop_map(String::from)],
        0..24,
    );
    prop_oneof![1 => any::<String>(), 3 => nearly.prop_map(|pieces| pieces.concat())]
}

const ADDRESS: &[&str] = &[
    "a",
    "@",
    ".",
    "..",
    "example.com",
    "bücher",
    "xn--",
    "\r\n",
    "\0",
    "\"",
    "<",
    ">",
    ",",
    " ",
    "+",
    "\u{202e}",
    "\u{feff}",
    "[127.0.0.1]",
];
const TOKEN: &[&str] = &[
    "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCJ9",
    "eyJhbGciOiJub25lIn0",
    ".",
    "e30",
    "=",
    "-",
    "_",
    "AAAA",
    "\0",
    "aqm_",
    "v1.",
];
const DOCUMENT: &[&str] = &[
    "{", "}", "(", ")", "[", "]", ":", "!", "$", "@", "...", "\"", "\"\"\"", "\\", "#", "\n", ",", " ",
    "query", "mutation", "fragment", "on", "F", "login", "me", "a", "input", "1", "-", "1e9", "\u{feff}",
    "\0", "|", "&", "=",
];
const LIST: &[&str] = &["127.0.0.1", "10.0.0.1", ",", " ", "::1", "[", "]", ":80", "unknown", "\"", ";", "%"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_address_that_is_taken_fits_into_a_mail(text in text(ADDRESS)) {
        if let Ok(address) = EmailAddress::parse(&text) {
            prop_assert!(!address.mailbox().contains(|c: char| c.is_control() || c == '<' || c == ',' || c == ' '), "{text:?}");
            prop_assert!(address.canonical().len() <= 254);
            // What is stored is read again, and is the same account.
            prop_assert_eq!(EmailAddress::parse(address.as_str()).unwrap().canonical(), address.canonical());
        }
    }

    #[test]
    fn a_password_that_is_taken_can_be_hashed(text in any::<String>()) {
        if let Ok(password) = Password::parse(&text) {
            prop_assert!(password.as_bytes().len() <= 1024 && !password.as_bytes().contains(&0));
        }
    }

    #[test]
    fn names_and_languages_that_are_taken_fit_into_a_row(text in any::<String>()) {
        if let Ok(Some(name)) = PersonName::parse(&text) {
            prop_assert!(!name.as_str().contains(char::is_control));
        }
        if let Ok(locale) = Locale::parse(&text) {
            prop_assert!(locale.as_str().is_ascii());
        }
    }

    #[test]
    fn no_text_is_a_token_by_chance(text in text(TOKEN)) {
        let tokens = JwtTokens::new("http://localhost", TimeDelta::minutes(15), &secrets()).unwrap();
        prop_assert!(tokens.read_access(&text, DateTime::UNIX_EPOCH).is_err());
        prop_assert!(tokens.read_expired_access(&text).is_err());
        prop_assert!(tokens.read_refresh(&text).is_err());
        let mail_tokens = HmacMailTokens::new(&secrets());
        for purpose in MailTokenPurpose::ALL {
            prop_assert!(mail_tokens.read(&text, purpose).is_none());
        }
        prop_assert!(HmacDeviceTokens::new(&secrets()).read(&text).is_none());
    }

    #[test]
    fn every_document_is_admitted_or_refused_in_few_words(text in text(DOCUMENT)) {
        let mut request = async_graphql::Request::new(text.clone());
        if let Err(error) = graphql::admit(&mut request, true) {
            prop_assert!(graphql::sentence(&error).len() < 1000, "{text:?}");
        }
        let manifest = serde_json::json!({ "id": text }).to_string();
        if let Ok(trusted) = TrustedDocuments::parse(&manifest) {
            // Whatever it is, it is found by its own text.
            let mut request = async_graphql::Request::new(text.clone());
            prop_assert!(graphql::find_document(Some(&trusted), &mut request, None).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn whatever_a_proxy_header_says_there_is_a_client(first in text(LIST), second in text(LIST)) {
        let (peer, headers) = ("127.0.0.1".parse().unwrap(), [first.as_str(), second.as_str()]);
        prop_assert_eq!(TrustedProxies::default().client(peer, headers.into_iter()), peer);
        let _ = TrustedProxies::parse("127.0.0.1/32,10.0.0.0/8").unwrap().client(peer, headers.into_iter());
        let _ = TrustedProxies::parse(&first);
    }

    #[test]
    fn what_is_kept_of_headers_is_printable_and_short(text in any::<String>()) {
        let device = DeviceInfo::new(Some(&text), None);
        let kept = device.user_agent().unwrap_or_default();
        prop_assert!(kept.chars().count() <= 300 && !kept.contains(char::is_control));
        let _ = device.name();
        if let Some(id) = RequestId::new(&text) {
            prop_assert!(id.as_str().len() <= 64 && id.as_str().bytes().all(|byte| byte.is_ascii_graphic()));
        }
    }
}
