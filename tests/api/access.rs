//! The guard in front of `me` (docs/security.md TOK-9, TOK-11, TOK-12).

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::{Mode, TestApp, in_both_modes};

/// The reason of the one error that stands beside `me: null`.
fn reason(answer: &Value) -> &str {
    assert_eq!(answer["data"], json!({"me": null}), "{answer}");
    assert_eq!(answer["errors"].as_array().unwrap().len(), 1);
    assert_eq!(answer["errors"][0]["path"], json!(["me"]));
    assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    answer["errors"][0]["extensions"]["reason"].as_str().unwrap()
}

in_both_modes! {
    async fn without_a_good_token_me_is_null_beside_a_reason(app: TestApp) {
        let tokens = app.registered("Ada").await.login(&app).await;
        let me = async |bearer: Option<&str>| app.graphql("{ me { email } }", json!({}), bearer).await;
        assert_eq!(reason(&me(None).await), "TOKEN_MISSING");
        assert_eq!(reason(&me(Some("nonsense")).await), "TOKEN_INVALID");
        assert_eq!(reason(&me(Some(&tokens.refresh)).await), "TOKEN_INVALID");
        assert!(me(Some(&tokens.access)).await.get("errors").is_none());

        app.advance(TimeDelta::minutes(16)).await;
        assert_eq!(reason(&me(Some(&tokens.access)).await), "TOKEN_EXPIRED");
        tokens.logout(&app).await;
        app.advance(-TimeDelta::minutes(16)).await;
        assert_eq!(reason(&me(Some(&tokens.access)).await), "SESSION_ENDED");
    }

    async fn neighbours_of_me_survive_its_refusal(app: TestApp) {
        let answer = app.graphql("{ me { email } __typename again: me { id } }", json!({}), None).await;
        assert_eq!(answer["data"], json!({"me": null, "__typename": "Query", "again": null}));
        assert_eq!(answer["errors"].as_array().unwrap().len(), 2);
    }

    async fn a_deleted_account_has_no_access(app: TestApp) {
        let tokens = app.registered("Ada").await.login(&app).await;
        sqlx::query("DELETE FROM users").execute(&mut app.database().await).await.unwrap();
        assert_eq!(reason(&tokens.try_me(&app).await), "SESSION_ENDED");
        assert_eq!(tokens.refusal(&app).await, "REFRESH_TOKEN_INVALID");
    }

    async fn a_stale_token_in_the_header_disturbs_no_mutation(app: TestApp) {
        let ada = app.registered("Ada").await;
        let tokens = ada.login(&app).await;
        app.advance(TimeDelta::hours(1)).await;
        for (document, input) in [
            ("mutation ($i: RegisterInput!) { r: register(input: $i) { __typename } }",
             json!({"email": "bob@example.com", "password": ada.password})),
            ("mutation ($i: LoginInput!) { r: login(input: $i) { __typename } }",
             json!({"email": ada.email, "password": ada.password})),
            ("mutation ($i: RefreshInput!) { r: refresh(input: $i) { __typename } }",
             json!({"refreshToken": tokens.refresh})),
            ("mutation ($i: LogoutInput!) { r: logout(input: $i) { __typename } }",
             json!({"refreshToken": tokens.refresh})),
        ] {
            let answer = app.graphql(document, json!({"i": input}), Some(&tokens.access)).await;
            assert!(answer.get("errors").is_none(), "{answer}");
            assert!(answer["data"]["r"]["__typename"].as_str().unwrap().ends_with("Success"), "{answer}");
        }
    }
}
