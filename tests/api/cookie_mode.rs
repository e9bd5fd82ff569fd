//! Browsers that keep their refresh token in a cookie (docs/security.md CSR-2, CSR-5, LOG-9).

use chrono::TimeDelta;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{LOGIN, LOGOUT, Mode, Person, REFRESH, TestApp, Tokens, in_both_modes};

const OWN: &str = "https://localhost";
const FRONT_END: &str = "https://app.localhost";
/// What asks for cookie mode.
const MODE: (&str, &str) = ("x-token-delivery", "cookie");
const SETTINGS: &[(&str, &str)] = &[("AUTHQL_PUBLIC_URL", OWN), ("AUTHQL_ALLOWED_ORIGINS", FRONT_END)];

/// A browser that shows a page of some origin.
struct Browser<'a> {
    app: &'a TestApp,
    /// What the page sends besides its request.
    headers: Vec<(&'static str, String)>,
    /// The cookie that it keeps, with its name.
    cookie: Option<String>,
}

struct Answer {
    status: StatusCode,
    set_cookie: Option<String>,
    body: Value,
}

impl<'a> Browser<'a> {
    fn new(app: &'a TestApp) -> Self {
        Self { app, headers: Vec::new(), cookie: None }.with(&[MODE, ("origin", FRONT_END)])
    }

    /// One that shows another page, and has the cookie as well.
    fn with(&self, headers: &[(&'static str, &str)]) -> Self {
        let headers = headers.iter().map(|(name, text)| (*name, (*text).to_owned())).collect();
        Self { app: self.app, headers, cookie: self.cookie.clone() }
    }

    /// Another tab of it, on the same page.
    fn tab(&self) -> Self {
        Self { app: self.app, headers: self.headers.clone(), cookie: self.cookie.clone() }
    }

    async fn send(&mut self, query: &str, input: Value) -> Answer {
        let mut request = self.app.client.post(format!("{}/graphql", self.app.url));
        for (name, text) in &self.headers {
            request = request.header(*name, text);
        }
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", format!("theme=dark; {cookie}"));
        }
        let body = json!({"query": query, "variables": {"input": input}});
        let response = request.json(&body).send().await.unwrap();
        let set_cookie = response.headers().get("set-cookie").map(|value| value.to_str().unwrap().to_owned());
        if let Some(text) = &set_cookie {
            let pair = text.split(';').next().unwrap();
            self.cookie = (!pair.ends_with('=')).then(|| pair.to_owned());
        }
        Answer { status: response.status(), set_cookie, body: response.json().await.unwrap() }
    }

    async fn login(&mut self, person: &Person) -> Answer {
        let answer = self.send(LOGIN, json!({"email": person.email, "password": person.password})).await;
        assert_eq!(answer.body["data"]["login"]["__typename"], "LoginSuccess", "{}", answer.body);
        answer
    }

    /// Refreshes, whatever comes of it.
    async fn refresh(&mut self) -> Answer {
        self.send(REFRESH, json!({})).await
    }

    fn token(&self) -> &str {
        self.cookie.as_deref().unwrap().split_once('=').unwrap().1
    }
}

impl Answer {
    /// Why it was refused, by the mutation or before it.
    fn code(&self) -> &str {
        let failure = self.body["data"].as_object().and_then(|data| data.values().next());
        let code = failure.and_then(|failure| failure["code"].as_str());
        code.or(self.body["errors"][0]["extensions"]["code"].as_str())
            .unwrap_or_else(|| panic!("not refused: {}", self.body))
    }

    fn max_age(&self) -> i64 {
        let text = self.set_cookie.as_deref().unwrap();
        text.split_once("Max-Age=").unwrap().1.split(';').next().unwrap().parse().unwrap()
    }
}

in_both_modes! {
    with SETTINGS;

    async fn the_refresh_token_is_in_the_cookie_and_never_in_the_body(app: TestApp) {
        let ada = app.registered("Ada").await;
        let mut browser = Browser::new(&app);
        let login = browser.login(&ada).await;
        let first = browser.token().to_owned();
        let set_cookie = login.set_cookie.clone().unwrap();
        let age = login.max_age();
        assert_eq!(
            set_cookie,
            format!("__Host-authql-refresh={first}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict; Secure")
        );
        assert!((2_591_999..=2_592_000).contains(&age), "{age}");
        assert!(login.body["data"]["login"]["tokens"]["refreshToken"].is_null(), "{}", login.body);

        let refresh = browser.refresh().await;
        let tokens = &refresh.body["data"]["refresh"]["tokens"];
        assert!(tokens["accessToken"].is_string() && tokens["refreshToken"].is_null(), "{}", refresh.body);
        assert_ne!(browser.token(), first);
        for (answer, token) in [(&login, first.as_str()), (&refresh, browser.token())] {
            assert!(!answer.body.to_string().contains(token), "{}", answer.body);
        }

        let logout = browser.send(LOGOUT, json!({})).await;
        assert_eq!(logout.body["data"]["logout"]["endedSessions"], 1, "{}", logout.body);
        assert_eq!(
            logout.set_cookie.as_deref(),
            Some("__Host-authql-refresh=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict; Secure")
        );
        assert_eq!(browser.refresh().await.code(), "REFRESH_TOKEN_INVALID");
    }

    async fn a_second_tab_gets_the_same_cookie_for_what_is_left_of_its_life(app: TestApp) {
        let ada = app.registered("Ada").await;
        let mut one = Browser::new(&app);
        one.login(&ada).await;
        let mut other = one.tab();
        let won = one.refresh().await;
        app.advance(TimeDelta::seconds(20)).await;
        let lost = other.refresh().await;
        assert_eq!(one.token(), other.token());
        assert!((19..=21).contains(&(won.max_age() - lost.max_age())), "{:?}", lost.set_cookie);
    }

    async fn a_refresh_that_fails_leaves_the_cookie_alone(app: TestApp) {
        let ada = app.registered("Ada").await;
        let mut browser = Browser::new(&app);
        browser.login(&ada).await;
        let mut thief = browser.tab();
        browser.refresh().await;
        browser.refresh().await;
        let reused = thief.refresh().await;
        assert_eq!((reused.code(), &reused.set_cookie), ("REFRESH_TOKEN_REUSED", &None));
        let ended = browser.refresh().await;
        assert_eq!((ended.code(), &ended.set_cookie), ("REFRESH_TOKEN_INVALID", &None));
        let absent = Browser::new(&app).refresh().await;
        assert_eq!((absent.code(), &absent.set_cookie), ("REFRESH_TOKEN_INVALID", &None));

        browser.login(&ada).await;
        sqlx::query("ALTER TABLE sessions RENAME TO lost").execute(&mut app.database().await).await.unwrap();
        for query in [REFRESH, LOGOUT] {
            let failed = browser.send(query, json!({})).await;
            assert_eq!((failed.code(), &failed.set_cookie), ("INTERNAL_SERVER_ERROR", &None));
        }
        sqlx::query("ALTER TABLE lost RENAME TO sessions").execute(&mut app.database().await).await.unwrap();
        assert_eq!(browser.refresh().await.body["data"]["refresh"]["__typename"], "RefreshSuccess");
    }

    async fn pages_of_others_are_refused_before_anything_runs(app: TestApp) {
        let ada = app.registered("Ada").await;
        let mut browser = Browser::new(&app);
        browser.login(&ada).await;
        for headers in [
            &[MODE][..],
            &[MODE, ("origin", "null")],
            &[MODE, ("origin", "https://evil.example")],
            &[MODE, ("origin", "http://app.localhost")],
            &[MODE, ("origin", "https://app.localhost:8443")],
            &[MODE, ("origin", FRONT_END), ("sec-fetch-site", "cross-site")],
        ] {
            let mut page = browser.with(headers);
            let credentials = json!({"email": ada.email, "password": ada.password});
            for (query, input) in [(REFRESH, json!({})), (LOGOUT, json!({})), (LOGIN, credentials)] {
                let answer = page.send(query, input).await;
                assert_eq!((answer.status, answer.code()), (StatusCode::FORBIDDEN, "FORBIDDEN"), "{headers:?}");
                assert_eq!(answer.set_cookie, None);
            }
        }
        let sessions: Vec<i32> = sqlx::query_scalar("SELECT generation FROM sessions WHERE ended_at IS NULL")
            .fetch_all(&mut app.database().await)
            .await
            .unwrap();
        assert_eq!(sessions, [1], "the one session has not moved");
        let mut own_page = browser.with(&[MODE, ("origin", OWN), ("sec-fetch-site", "same-origin")]);
        assert_eq!(own_page.refresh().await.body["data"]["refresh"]["__typename"], "RefreshSuccess");
    }

    async fn without_the_header_no_cookie_is_read_and_none_is_set(app: TestApp) {
        let ada = app.registered("Ada").await;
        let mut browser = Browser::new(&app);
        browser.login(&ada).await;
        let mut other = browser.with(&[("origin", FRONT_END)]);
        assert_eq!(other.refresh().await.code(), "REFRESH_TOKEN_INVALID");
        let logout = other.send(LOGOUT, json!({})).await;
        assert_eq!((&logout.body["data"]["logout"]["endedSessions"], &logout.set_cookie), (&json!(0), &None));
        let login = other.login(&ada).await;
        assert!(login.body["data"]["login"]["tokens"]["refreshToken"].is_string(), "{}", login.body);
        assert_eq!(login.set_cookie, None);
        let misspelt = browser.with(&[("origin", FRONT_END), ("x-token-delivery", "cookies")]).refresh().await;
        assert_eq!((misspelt.status, misspelt.code()), (StatusCode::BAD_REQUEST, "BAD_REQUEST"));
        // A query by GET has nothing to do with cookies, whatever its headers say.
        let url = format!("{}/graphql?query={{__typename}}", app.url);
        let query = app.client.get(url).header("x-token-delivery", "cookie").header("cookie", browser.cookie.unwrap());
        let response = query.send().await.unwrap();
        assert_eq!((response.status(), response.headers().get("set-cookie")), (StatusCode::OK, None));
    }

    async fn the_cookie_counts_and_not_a_stale_bearer(app: TestApp) {
        let ada = app.registered("Ada").await;
        let mut browser = Browser::new(&app);
        browser.login(&ada).await;
        browser.headers.push(("authorization", "Bearer stale".to_owned()));
        assert_eq!(browser.refresh().await.body["data"]["refresh"]["__typename"], "RefreshSuccess");
        let logout = browser.send(LOGOUT, json!({})).await;
        assert_eq!(logout.body["data"]["logout"]["endedSessions"], 1, "{}", logout.body);
        assert!(browser.cookie.is_none());
    }

    async fn a_deleted_account_leaves_no_cookie(app: TestApp) {
        const DELETE: &str = "mutation ($input: DeleteAccountInput!) { deleteAccount(input: $input) { __typename \
            ... on AuthFailure { code } } }";
        let ada = app.registered("Ada").await;
        let mut browser = Browser::new(&app);
        let login = browser.login(&ada).await;
        let access = login.body["data"]["login"]["tokens"]["accessToken"].as_str().unwrap();
        browser.headers.push(("authorization", format!("Bearer {access}")));
        let refused = browser.send(DELETE, json!({"currentPassword": "not the one"})).await;
        assert_eq!((refused.code(), &refused.set_cookie), ("INVALID_CREDENTIALS", &None));
        let deleted = browser.send(DELETE, json!({"currentPassword": ada.password})).await;
        assert_eq!(deleted.body["data"]["deleteAccount"]["__typename"], "DeleteAccountSuccess");
        assert_eq!(deleted.max_age(), 0);
        assert!(browser.cookie.is_none());
    }

    async fn a_token_in_the_input_counts_before_the_cookie(app: TestApp) {
        let ada = app.registered("Ada").await;
        let mut browser = Browser::new(&app);
        browser.login(&ada).await;
        let other: Tokens = ada.login(&app).await;
        let logout = browser.send(LOGOUT, json!({"refreshToken": other.refresh})).await;
        assert_eq!(logout.body["data"]["logout"]["endedSessions"], 1, "{}", logout.body);
        assert_eq!(logout.set_cookie, None, "the cookie is that of a session that lives on");
        assert_eq!(browser.refresh().await.body["data"]["refresh"]["__typename"], "RefreshSuccess");

        // A front end moves to cookie mode with the token that it has.
        let old: Tokens = ada.login(&app).await;
        let mut moving = Browser::new(&app);
        let moved = moving.send(REFRESH, json!({"refreshToken": old.refresh})).await;
        assert!(moved.body["data"]["refresh"]["tokens"]["refreshToken"].is_null(), "{}", moved.body);
        assert_eq!(moving.refresh().await.body["data"]["refresh"]["__typename"], "RefreshSuccess");
    }
}
