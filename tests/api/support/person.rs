//! People who use authql, and what they do.

use serde_json::{Value, json};

use super::app::TestApp;

pub const REGISTER: &str = "mutation ($input: RegisterInput!) { register(input: $input) { __typename \
    ... on RegisterSuccess { email } ... on AuthFailure { code message fields { path code message } retryAfterSeconds } } }";
pub const LOGIN: &str = "mutation ($input: LoginInput!) { login(input: $input) { __typename \
    ... on LoginSuccess { user { id email emailVerified name locale createdAt } \
    tokens { accessToken accessTokenExpiresAt refreshToken refreshTokenExpiresAt } } \
    ... on AuthFailure { code message fields { path code message } } } }";
pub const REFRESH: &str = "mutation ($input: RefreshInput!) { refresh(input: $input) { __typename \
    ... on RefreshSuccess { tokens { accessToken accessTokenExpiresAt refreshToken refreshTokenExpiresAt } } \
    ... on AuthFailure { code message fields { path code message } } } }";
pub const LOGOUT: &str = "mutation ($input: LogoutInput!) { logout(input: $input) { __typename \
    ... on LogoutSuccess { endedSessions } ... on AuthFailure { code message } } }";
pub const ME: &str = "{ me { id email name locale } }";

/// Somebody with an address and a password.
#[derive(Debug, Clone)]
pub struct Person {
    pub name: String,
    pub email: String,
    pub password: String,
}

/// What a client holds of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    pub access: String,
    pub refresh: String,
}

impl Person {
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            email: format!("{}@example.com", name.to_lowercase()),
            password: "correct horse battery staple".to_owned(),
        }
    }

    pub async fn register(&self, app: &TestApp) -> Value {
        let input = json!({"email": self.email, "password": self.password, "name": self.name});
        app.graphql(REGISTER, json!({"input": input}), None).await["data"]["register"].take()
    }

    /// Logs in, whatever comes of it.
    pub async fn try_login(&self, app: &TestApp) -> Value {
        let input = json!({"email": self.email, "password": self.password});
        app.graphql(LOGIN, json!({"input": input}), None).await["data"]["login"].take()
    }

    pub async fn login(&self, app: &TestApp) -> Tokens {
        let login = self.try_login(app).await;
        assert_eq!(login["__typename"], "LoginSuccess", "{login}");
        Tokens::read(&login["tokens"])
    }
}

impl Tokens {
    pub fn read(tokens: &Value) -> Self {
        let text = |name: &str| tokens[name].as_str().unwrap().to_owned();
        Self { access: text("accessToken"), refresh: text("refreshToken") }
    }

    /// Refreshes, whatever comes of it.
    pub async fn try_refresh(&self, app: &TestApp) -> Value {
        app.graphql(REFRESH, json!({"input": {"refreshToken": self.refresh}}), None).await
    }

    pub async fn refresh(&self, app: &TestApp) -> Self {
        let answer = self.try_refresh(app).await;
        assert_eq!(answer["data"]["refresh"]["__typename"], "RefreshSuccess", "{answer}");
        Self::read(&answer["data"]["refresh"]["tokens"])
    }

    /// Why a refresh is refused: the code.
    pub async fn refusal(&self, app: &TestApp) -> String {
        let answer = self.try_refresh(app).await;
        answer["data"]["refresh"]["code"]
            .as_str()
            .unwrap_or_else(|| panic!("not refused: {answer}"))
            .to_owned()
    }

    /// Logs out with the refresh token; answers how many sessions ended.
    pub async fn logout(&self, app: &TestApp) -> i64 {
        let answer = app.graphql(LOGOUT, json!({"input": {"refreshToken": self.refresh}}), None).await;
        answer["data"]["logout"]["endedSessions"].as_i64().unwrap_or_else(|| panic!("{answer}"))
    }

    /// The whole answer to `me`.
    pub async fn try_me(&self, app: &TestApp) -> Value {
        app.graphql(ME, json!({}), Some(&self.access)).await
    }

    /// Whose tokens these are; `None` when they no longer work.
    pub async fn me(&self, app: &TestApp) -> Option<String> {
        let answer = self.try_me(app).await;
        if let Some(email) = answer["data"]["me"]["email"].as_str() {
            return Some(email.to_owned());
        }
        assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{answer}");
        None
    }
}
