//! People see their sessions and end them (docs/security.md OUT).

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::{LOGIN, Mode, Person, REFRESH, TestApp, Tokens, eventually, in_both_modes};

const SESSIONS: &str = "query ($first: Int, $after: String, $last: Int, $before: String) { me { \
    sessions(first: $first, after: $after, last: $last, before: $before) { \
    edges { cursor node { id device ipAddress createdAt lastUsedAt expiresAt current } } \
    pageInfo { hasPreviousPage hasNextPage startCursor endCursor } } } }";
const NODE: &str =
    "query ($id: ID!) { node(id: $id) { __typename id ... on User { email } ... on Session { current } } }";
const REVOKE: &str = "mutation ($id: ID!) { revokeSession(input: { id: $id }) { __typename \
    ... on AuthFailure { code fields { code } } ... on RevokeSessionSuccess { session { id current } } } }";

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";
const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
    Version/17.5 Mobile/15E148 Safari/604.1";

/// What `me.sessions` answers.
async fn page(app: &TestApp, tokens: &Tokens, arguments: Value) -> Value {
    let answer = app.graphql(SESSIONS, arguments, Some(&tokens.access)).await;
    assert!(answer.get("errors").is_none(), "{answer}");
    answer["data"]["me"]["sessions"].clone()
}

/// The sessions of a page.
async fn nodes(app: &TestApp, tokens: &Tokens, arguments: Value) -> Vec<Value> {
    let page = page(app, tokens, arguments).await;
    page["edges"].as_array().unwrap().iter().map(|edge| edge["node"].clone()).collect()
}

/// The ids of a page.
fn ids(page: &Value) -> Vec<String> {
    let edges = page["edges"].as_array().unwrap().iter();
    edges.map(|edge| edge["node"]["id"].as_str().unwrap().to_owned()).collect()
}

/// The id of the session that the tokens belong to.
async fn id(app: &TestApp, tokens: &Tokens) -> String {
    let sessions = nodes(app, tokens, json!({})).await;
    let current: Vec<&Value> = sessions.iter().filter(|session| session["current"] == true).collect();
    assert_eq!(current.len(), 1, "{sessions:?}");
    current[0]["id"].as_str().unwrap().to_owned()
}

async fn revoke(app: &TestApp, tokens: &Tokens, id: &str) -> Value {
    let answer = app.graphql(REVOKE, json!({"id": id}), Some(&tokens.access)).await;
    assert!(answer.get("errors").is_none(), "{answer}");
    answer["data"]["revokeSession"].clone()
}

async fn node(app: &TestApp, tokens: &Tokens, id: &str) -> Value {
    let answer = app.graphql(NODE, json!({"id": id}), Some(&tokens.access)).await;
    assert!(answer.get("errors").is_none(), "{answer}");
    answer["data"]["node"].clone()
}

/// Five sessions a minute apart, newest first: their ids, and the tokens of the newest.
async fn five(app: &TestApp, person: &Person) -> (Vec<String>, Tokens) {
    for _ in 0..4 {
        person.login(app).await;
        app.advance(TimeDelta::minutes(1)).await;
    }
    let newest = person.login(app).await;
    (ids(&page(app, &newest, json!({})).await), newest)
}

in_both_modes! {
    async fn sessions_are_listed_newest_first_with_the_current_one_marked(app: TestApp) {
        let (ada, bob) = (app.registered("Ada").await, app.registered("Bob").await);
        let phone = ada.login(&app).await;
        bob.login(&app).await;
        app.advance(TimeDelta::minutes(10)).await;
        let laptop = ada.login(&app).await;
        let sessions = nodes(&app, &laptop, json!({})).await;
        assert_eq!(sessions.len(), 2, "{sessions:?}");
        assert_eq!((&sessions[0]["current"], &sessions[1]["current"]), (&json!(true), &json!(false)));
        assert!(sessions[0]["createdAt"].as_str() > sessions[1]["createdAt"].as_str());

        app.advance(TimeDelta::minutes(10)).await;
        let phone = phone.refresh(&app).await;
        let sessions = nodes(&app, &phone, json!({})).await;
        assert_eq!((&sessions[0]["current"], &sessions[1]["current"]), (&json!(false), &json!(true)));
        assert_eq!(sessions[0]["lastUsedAt"], sessions[0]["createdAt"]);
        assert!(sessions[1]["lastUsedAt"].as_str() > sessions[0]["lastUsedAt"].as_str());
        assert!(sessions[1]["expiresAt"].as_str() > sessions[0]["expiresAt"].as_str());
    }

    async fn what_has_ended_is_not_listed(app: TestApp) {
        let ada = app.registered("Ada").await;
        let (first, second, third) = (ada.login(&app).await, ada.login(&app).await, ada.login(&app).await);
        first.logout(&app).await;
        second.refresh(&app).await.refresh(&app).await;
        assert_eq!(second.refusal(&app).await, "REFRESH_TOKEN_REUSED");
        assert_eq!(nodes(&app, &third, json!({})).await.len(), 1);
        app.advance(TimeDelta::days(31)).await;
        let fourth = ada.login(&app).await;
        assert_eq!(nodes(&app, &fourth, json!({})).await.len(), 1);
    }

    async fn a_list_is_paged_forwards(app: TestApp) {
        let (all, tokens) = five(&app, &app.registered("Ada").await).await;
        assert_eq!(all.len(), 5);
        let mut seen = Vec::new();
        let mut after = Value::Null;
        for (size, has_previous, has_next) in [(2, false, true), (2, true, true), (1, true, false)] {
            let page = page(&app, &tokens, json!({"first": 2, "after": after})).await;
            assert_eq!(ids(&page).len(), size);
            assert_eq!(page["pageInfo"]["hasPreviousPage"], has_previous, "{page}");
            assert_eq!(page["pageInfo"]["hasNextPage"], has_next, "{page}");
            assert_eq!(page["pageInfo"]["startCursor"], page["edges"][0]["cursor"]);
            after = page["pageInfo"]["endCursor"].clone();
            seen.extend(ids(&page));
        }
        assert_eq!(seen, all);
    }

    async fn a_list_is_paged_backwards(app: TestApp) {
        let (all, tokens) = five(&app, &app.registered("Ada").await).await;
        let mut seen = Vec::new();
        let mut before = Value::Null;
        for (size, has_previous, has_next) in [(2, true, false), (2, true, true), (1, false, true)] {
            let page = page(&app, &tokens, json!({"last": 2, "before": before})).await;
            assert_eq!(ids(&page).len(), size);
            assert_eq!(page["pageInfo"]["hasPreviousPage"], has_previous, "{page}");
            assert_eq!(page["pageInfo"]["hasNextPage"], has_next, "{page}");
            before = page["pageInfo"]["startCursor"].clone();
            seen.splice(0..0, ids(&page));
        }
        assert_eq!(seen, all);
    }

    async fn a_page_lies_between_its_cursors_and_is_not_moved_by_what_begins_or_ends(app: TestApp) {
        let ada = app.registered("Ada").await;
        let (all, tokens) = five(&app, &ada).await;
        let full = page(&app, &tokens, json!({})).await;
        let cursor = |index: usize| full["edges"][index]["cursor"].clone();
        let between = json!({"after": cursor(0), "before": cursor(4)});
        assert_eq!(ids(&page(&app, &tokens, between).await), all[1..4]);

        ada.login(&app).await;
        assert_eq!(revoke(&app, &tokens, &all[1]).await["__typename"], "RevokeSessionSuccess");
        assert_eq!(ids(&page(&app, &tokens, json!({"first": 2, "after": cursor(1)})).await), all[2..4]);

        let none = page(&app, &tokens, json!({"first": 0})).await;
        assert_eq!((none["edges"].clone(), none["pageInfo"]["hasNextPage"].clone()), (json!([]), json!(true)));
        assert_eq!(none["pageInfo"]["endCursor"], Value::Null);
    }

    async fn sessions_of_the_same_instant_are_paged_without_loss(app: TestApp) {
        let ada = app.registered("Ada").await;
        for _ in 0..4 {
            ada.login(&app).await;
        }
        let tokens = ada.login(&app).await;
        sqlx::query("UPDATE sessions SET created_at = '2030-01-01T00:00:00.000001Z'")
            .execute(&mut app.database().await)
            .await
            .unwrap();
        let all = ids(&page(&app, &tokens, json!({})).await);
        let mut seen = Vec::new();
        let mut after = Value::Null;
        for _ in 0..5 {
            let page = page(&app, &tokens, json!({"first": 1, "after": after})).await;
            after = page["pageInfo"]["endCursor"].clone();
            seen.extend(ids(&page));
        }
        assert_eq!((seen.len(), &seen), (5, &all));
    }

    async fn arguments_that_make_no_page_are_refused(app: TestApp) {
        let tokens = app.registered("Ada").await.login(&app).await;
        for arguments in [
            json!({"first": 1, "last": 1}),
            json!({"first": -1}),
            json!({"last": -1}),
            json!({"first": 101}),
            json!({"last": 101}),
            json!({"after": "nonsense"}),
            json!({"before": ""}),
        ] {
            let answer = app.graphql(SESSIONS, arguments.clone(), Some(&tokens.access)).await;
            assert_eq!(answer["data"], json!({"me": null}), "{arguments}");
            assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{answer}");
            assert_eq!(answer["errors"][0]["path"], json!(["me", "sessions"]));
        }
        assert_eq!(nodes(&app, &tokens, json!({"first": 100})).await.len(), 1);
        assert_eq!(nodes(&app, &tokens, json!({"last": 100})).await.len(), 1);
    }

    async fn a_revoked_session_ends_at_once_and_no_other_does(app: TestApp) {
        let ada = app.registered("Ada").await;
        let (phone, laptop, tablet) = (ada.login(&app).await, ada.login(&app).await, ada.login(&app).await);
        let lost = id(&app, &phone).await;
        let revoked = revoke(&app, &laptop, &lost).await;
        assert_eq!(revoked["session"], json!({"id": lost, "current": false}), "{revoked}");
        assert_eq!(phone.me(&app).await, None);
        assert_eq!(phone.refusal(&app).await, "REFRESH_TOKEN_INVALID");
        assert!(laptop.me(&app).await.is_some());
        tablet.refresh(&app).await;
        assert_eq!(nodes(&app, &laptop, json!({})).await.len(), 2);
        assert_eq!(revoke(&app, &laptop, &lost).await["code"], "NOT_FOUND");

        let reason: Option<String> = sqlx::query_scalar("SELECT end_reason FROM sessions WHERE ended_at IS NOT NULL")
            .fetch_one(&mut app.database().await)
            .await
            .unwrap();
        assert_eq!(reason.as_deref(), Some("revoked"));
    }

    async fn the_current_session_can_be_revoked(app: TestApp) {
        let tokens = app.registered("Ada").await.login(&app).await;
        let current = id(&app, &tokens).await;
        let revoked = revoke(&app, &tokens, &current).await;
        assert_eq!(revoked["session"], json!({"id": current, "current": true}), "{revoked}");
        assert_eq!(tokens.me(&app).await, None);
    }

    async fn what_is_somebody_elses_is_not_found(app: TestApp) {
        let ada = app.registered("Ada").await.login(&app).await;
        let bob = app.registered("Bob").await.login(&app).await;
        let session = id(&app, &bob).await;
        let bobs_user = bob.try_me(&app).await["data"]["me"]["id"].as_str().unwrap().to_owned();
        for foreign in [session.as_str(), &bobs_user, "nonsense", ""] {
            let refused = revoke(&app, &ada, foreign).await;
            assert_eq!((&refused["code"], &refused["fields"]), (&json!("NOT_FOUND"), &json!([])), "{foreign}");
            assert_eq!(node(&app, &ada, foreign).await, Value::Null, "{foreign}");
        }
        assert!(bob.me(&app).await.is_some());
        let own_user = ada.try_me(&app).await["data"]["me"]["id"].as_str().unwrap().to_owned();
        assert_eq!(revoke(&app, &ada, &own_user).await["code"], "NOT_FOUND");
    }

    async fn a_node_is_found_by_its_id(app: TestApp) {
        let ada = app.registered("Ada").await;
        let (tokens, other) = (ada.login(&app).await, ada.login(&app).await);
        let user = tokens.try_me(&app).await["data"]["me"]["id"].clone();
        assert_eq!(
            node(&app, &tokens, user.as_str().unwrap()).await,
            json!({"__typename": "User", "id": user, "email": ada.email})
        );
        for (session, current) in [(id(&app, &tokens).await, true), (id(&app, &other).await, false)] {
            assert_eq!(
                node(&app, &tokens, &session).await,
                json!({"__typename": "Session", "id": session, "current": current})
            );
        }
        let gone = id(&app, &other).await;
        other.logout(&app).await;
        assert_eq!(node(&app, &tokens, &gone).await, Value::Null);
    }

    async fn without_a_session_nothing_is_found_or_revoked(app: TestApp) {
        let tokens = app.registered("Ada").await.login(&app).await;
        let own = json!({"id": id(&app, &tokens).await});
        for (bearer, reason) in [(None, "TOKEN_MISSING"), (Some("nonsense"), "TOKEN_INVALID")] {
            let node = app.graphql(NODE, own.clone(), bearer).await;
            assert_eq!(node["data"], json!({"node": null}));
            let revoked = app.graphql(REVOKE, own.clone(), bearer).await;
            for answer in [node, revoked] {
                assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{answer}");
                assert_eq!(answer["errors"][0]["extensions"]["reason"], reason, "{answer}");
            }
        }
        assert!(tokens.me(&app).await.is_some());
    }

    async fn a_shut_account_sees_and_ends_nothing(app: TestApp) {
        let ada = app.registered("Ada").await;
        let (phone, laptop) = (ada.login(&app).await, ada.login(&app).await);
        let session = id(&app, &laptop).await;
        sqlx::query("UPDATE users SET disabled_at = now()").execute(&mut app.database().await).await.unwrap();
        // `me` misses the account at once; the guard, which stands before everything, learns of the sessions' end by looking.
        let session = json!({"id": session});
        eventually("the guard knows of the end", async || {
            let answer = app.graphql(NODE, session.clone(), Some(&phone.access)).await;
            assert_eq!(answer["data"]["node"], json!(null));
            (answer["errors"][0]["extensions"]["reason"] == "SESSION_ENDED").then_some(())
        })
        .await;
        let answer = app.graphql(REVOKE, session, Some(&phone.access)).await;
        assert_eq!(answer["errors"][0]["extensions"]["reason"], "SESSION_ENDED", "{answer}");
    }

    async fn a_login_lists_the_session_that_it_started_as_the_current_one(app: TestApp) {
        let ada = app.registered("Ada").await;
        ada.login(&app).await;
        let input = json!({"input": {"email": ada.email, "password": ada.password}});
        let document = "mutation ($input: LoginInput!) { login(input: $input) { ... on LoginSuccess { \
            user { sessions { edges { node { current } } } } } } }";
        let answer = app.graphql(document, input, None).await;
        let edges = &answer["data"]["login"]["user"]["sessions"]["edges"];
        assert_eq!(edges, &json!([{"node": {"current": true}}, {"node": {"current": false}}]), "{answer}");
    }

    async fn device_and_address_are_shown_as_of_the_latest_refresh(app: TestApp) {
        let ada = app.registered("Ada").await;
        let login = sign_in(&app, &ada, &[("user-agent", FIREFOX)]).await;
        let session = &nodes(&app, &login, json!({})).await[0];
        assert_eq!((&session["device"], &session["ipAddress"]), (&json!("Firefox on Linux"), &json!("127.0.0.1")));

        let refreshed = refresh(&app, &login, &[("user-agent", IPHONE)]).await;
        let session = &nodes(&app, &refreshed, json!({})).await[0];
        assert_eq!(session["device"], "Safari on iPhone");
        // The test's own client has no user agent; what was known stays.
        let refreshed = refreshed.refresh(&app).await;
        let session = &nodes(&app, &refreshed, json!({})).await[0];
        assert_eq!(session["device"], "Safari on iPhone");

        let nameless = ada.login(&app).await;
        assert_eq!(nodes(&app, &nameless, json!({})).await[0]["device"], Value::Null);
    }

    async fn a_stranger_cannot_choose_an_address(app: TestApp) {
        let ada = app.registered("Ada").await;
        let tokens = sign_in(&app, &ada, &[("x-forwarded-for", "198.51.100.7")]).await;
        assert_eq!(nodes(&app, &tokens, json!({})).await[0]["ipAddress"], "127.0.0.1");
    }
}

#[tokio::test]
async fn a_trusted_proxy_tells_the_address_of_the_client() {
    for mode in [Mode::ZeroConfiguration, Mode::Servers] {
        let trusted = [("AUTHQL_TRUSTED_PROXIES", "127.0.0.1/32, 10.0.0.0/8")];
        let Some(app) = TestApp::start_with(mode, &trusted).await else { return };
        let ada = app.registered("Ada").await;
        for (headers, address) in [
            (&[("x-forwarded-for", "198.51.100.7")][..], "198.51.100.7"),
            (&[("x-forwarded-for", "203.0.113.9, 198.51.100.7, 10.1.1.1")], "198.51.100.7"),
            (&[("x-forwarded-for", "203.0.113.9"), ("x-forwarded-for", "2001:db8::7")], "2001:db8::7"),
            (&[("x-forwarded-for", "::ffff:198.51.100.7")], "198.51.100.7"),
            (&[("x-forwarded-for", "198.51.100.7, nonsense")], "127.0.0.1"),
            (&[], "127.0.0.1"),
        ] {
            let tokens = sign_in(&app, &ada, headers).await;
            assert_eq!(nodes(&app, &tokens, json!({})).await[0]["ipAddress"], address, "{headers:?}");
        }
        let tokens = sign_in(&app, &ada, &[("x-forwarded-for", "198.51.100.7")]).await;
        let tokens = refresh(&app, &tokens, &[("x-forwarded-for", "203.0.113.9")]).await;
        assert_eq!(nodes(&app, &tokens, json!({})).await[0]["ipAddress"], "203.0.113.9");
    }
}

/// A session that is revoked on one instance has ended on the other.
#[tokio::test]
async fn a_revocation_on_one_instance_is_known_to_the_other() {
    let Some(app) = TestApp::on_servers().await else { return };
    let sister = app.sister().await;
    let ada = app.registered("Ada").await;
    let (phone, laptop) = (ada.login(&app).await, ada.login(&sister).await);
    assert!(phone.me(&sister).await.is_some());
    let lost = id(&app, &phone).await;
    assert_eq!(revoke(&app, &laptop, &lost).await["__typename"], "RevokeSessionSuccess");
    assert_eq!(phone.me(&sister).await, None);
}

async fn sign_in(app: &TestApp, person: &Person, headers: &[(&str, &str)]) -> Tokens {
    let input = json!({"input": {"email": person.email, "password": person.password}});
    let answer = app.graphql_with(headers, LOGIN, input, None).await;
    Tokens::read(&answer["data"]["login"]["tokens"])
}

async fn refresh(app: &TestApp, tokens: &Tokens, headers: &[(&str, &str)]) -> Tokens {
    let input = json!({"input": {"refreshToken": tokens.refresh}});
    let answer = app.graphql_with(headers, REFRESH, input, None).await;
    Tokens::read(&answer["data"]["refresh"]["tokens"])
}
