//! The pages for people: where links of mails lead, and the mailbox (docs/security.md REG-8, TLS-2).

use std::fs;

use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use crate::support::{Mode, TestApp, in_both_modes};

async fn get(app: &TestApp, path: &str) -> Response {
    app.client.get(format!("{}{path}", app.url)).send().await.unwrap()
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
}

in_both_modes! {
    async fn the_page_of_links_speaks_to_this_server_alone(app: TestApp) {
        let response = get(&app, "/confirm").await;
        assert_eq!(header(&response, "content-type"), "text/html; charset=utf-8");
        assert_eq!(
            header(&response, "content-security-policy"),
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; \
             frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
        );
        assert_eq!(header(&response, "cache-control"), "no-store");
        assert_eq!(header(&response, "referrer-policy"), "no-referrer");
        assert_eq!(header(&response, "x-content-type-options"), "nosniff");
        let html = response.text().await.unwrap();
        assert!(html.contains("<noscript>") && html.contains(r#"autocomplete="new-password""#), "{html}");
        for reach in ["http:", "https:", "=\"//", "style=", "onclick", "<script>"] {
            assert!(!html.contains(reach), "{reach} in {html}");
        }
        let assets: Vec<&str> = html.split('"').filter(|text| text.starts_with("confirm/assets/")).collect();
        assert_eq!(assets.len(), 3);
        for asset in assets {
            assert_eq!(get(&app, &format!("/{asset}")).await.status(), StatusCode::OK, "{asset}");
        }
        assert_eq!(get(&app, "/confirm/assets/nothing.js").await.status(), StatusCode::NOT_FOUND);
    }

    /// As the scanners of mail servers do, which open every link, with or without what follows the #.
    async fn opening_a_link_uses_up_nothing(app: TestApp) {
        let ada = app.registered("Ada").await;
        let token = app.letter_about(&ada.email, "Welcome").await.token("verifyEmail");
        for link in ["/confirm", "/confirm?verifyEmail=", "/confirm%23verifyEmail=", "/confirm?token="] {
            let link = if link.ends_with('=') { format!("{link}{token}") } else { link.to_owned() };
            for method in [reqwest::Method::GET, reqwest::Method::HEAD] {
                app.client.request(method, format!("{}{link}", app.url)).send().await.unwrap();
            }
        }
        let posted = app.client.post(format!("{}/confirm", app.url)).body(token.clone()).send().await.unwrap();
        assert_eq!(posted.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(app.mutate("verifyEmail", json!({"token": token}), None).await["__typename"], "VerifyEmailSuccess");
    }
}

/// What the page of samples gets.
async fn samples(app: &TestApp) -> Value {
    get(app, "/mailbox/samples.json").await.json().await.unwrap()
}

#[tokio::test]
async fn samples_of_all_mails_are_there_in_each_language() {
    let app = TestApp::start(Mode::ZeroConfiguration).await;
    let answer = samples(&app).await;
    let mails = answer["mails"].as_array().unwrap();
    let text = |mail: &Value, part: &str| mail[part].as_str().unwrap().to_owned();
    for (language, greeting) in [("en", "Hello Ada,"), ("ru", "Здравствуйте, Ада!")] {
        let of_language: Vec<&Value> =
            mails.iter().filter(|mail| text(mail, "id").starts_with(&format!("{language}/"))).collect();
        assert_eq!(of_language.len(), 11);
        for mail in of_language {
            assert_eq!(text(mail, "id"), format!("{language}/{}", text(mail, "kind")));
            assert!(text(mail, "text").starts_with(greeting), "{mail}");
            assert!(text(mail, "html").contains(&format!("<html lang=\"{language}\">")), "{mail}");
        }
    }
    assert_eq!(mails.len(), 22);
}

/// An operator who works on templates sees each change at once; mails are written as they were checked at the start.
#[tokio::test]
async fn samples_follow_the_folder_and_mails_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let brand = folder.path().join("brand.toml");
    fs::write(&brand, "name = 'Bees'").unwrap();
    let settings = [("AUTHQL_MAIL_TEMPLATES", folder.path().to_str().unwrap())];
    let app = TestApp::start_with(Mode::ZeroConfiguration, &settings).await.unwrap();
    assert_eq!(samples(&app).await["mails"][0]["subject"], "Welcome to Bees");
    fs::write(&brand, "name = 'Wasps'").unwrap();
    assert_eq!(samples(&app).await["mails"][0]["subject"], "Welcome to Wasps");
    fs::write(&brand, "name = 'Wasps").unwrap();
    let broken = samples(&app).await;
    assert_eq!(broken["mails"], json!([]));
    assert!(
        broken["problem"].as_str().unwrap().starts_with("AUTHQL_MAIL_TEMPLATES: brand.toml, line 1: "),
        "{broken}"
    );
    let ada = app.registered("Ada").await;
    app.letter_about(&ada.email, "Welcome to Bees").await;
}
