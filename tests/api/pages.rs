//! The pages for people: where links of mails lead, and the mailbox (SECURITY.md REG-8, TLS-2).

use reqwest::{Response, StatusCode};
use serde_json::json;

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
