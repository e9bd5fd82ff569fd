//! What happens again is no storm of events (docs/security.md BUD-7, AUD-5).

use authql::domain::{EventId, EventKind};
use authql::ports::Clock;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::program::output;
use crate::support::{Mode, Person, TestApp, Tokens};

/// How somebody does something for a second time.
enum Again {
    /// Each time is something new.
    New,
    /// A refusal, which changes nothing anyway.
    Refused,
    /// With this mutation, as whoever has this access token; it answers this type or code.
    Mutation(&'static str, Value, Option<String>, &'static str),
    /// With this command.
    Command(Vec<String>),
}

/// Does what leaves an event of this kind, and answers how it is done once more.
async fn done_once(app: &TestApp, kind: EventKind, command: impl Fn(&[&str]) -> String) -> Again {
    let ada = app.registered(&format!("Ada-{}", kind.as_str().replace('_', "-"))).await;
    let words = |words: &[&str]| {
        command(words);
        Again::Command(words.iter().map(|word| (*word).to_owned()).collect())
    };
    match kind {
        EventKind::Registered
        | EventKind::SessionDisplaced
        | EventKind::LoggedIn
        | EventKind::PasswordResetRequested
        | EventKind::PasswordChanged
        | EventKind::EmailChangeRequested
        | EventKind::SigningKeyAdded => Again::New,
        EventKind::RegistrationRepeated
        | EventKind::LoginFailed
        | EventKind::LoginHeldBack
        | EventKind::RefreshRefused
        | EventKind::RefreshTokenReused
        | EventKind::Throttled
        | EventKind::PasswordWrong => Again::Refused,
        EventKind::EmailVerified => {
            let first = app.letter_about(&ada.email, "Welcome").await.token("verifyEmail");
            app.mutate("resendVerification", json!({"email": ada.email}), None).await;
            let other = app.letter_about(&ada.email, "Confirm your address").await.token("verifyEmail");
            assert_eq!(app.mutate("verifyEmail", json!({"token": first}), None).await["email"], ada.email);
            Again::Mutation("verifyEmail", json!({"token": other}), None, "VerifyEmailSuccess")
        }
        EventKind::EmailChanged => {
            let first = app.letter_about(&ada.email, "Welcome").await.token("verifyEmail");
            app.mutate("verifyEmail", json!({"token": first}), None).await;
            let change = json!({"newEmail": ada.email, "currentPassword": ada.password});
            let tokens = ada.login(app).await;
            app.mutate("requestEmailChange", change, Some(&tokens.access)).await;
            let letter = app.letter_about(&ada.email, "Confirm your new address").await;
            Again::Mutation(
                "confirmEmailChange",
                json!({"token": letter.token("confirmEmailChange")}),
                None,
                "ConfirmEmailChangeSuccess",
            )
        }
        EventKind::PasswordReset => {
            app.mutate("requestPasswordReset", json!({"email": ada.email}), None).await;
            let token = app.letter_about(&ada.email, "Set a new password").await.token("resetPassword");
            let input = json!({"token": token, "newPassword": "a much better password, 1843"});
            assert_eq!(app.mutate("resetPassword", input.clone(), None).await["endedSessions"], 0);
            Again::Mutation("resetPassword", input, None, "MAIL_TOKEN_INVALID")
        }
        EventKind::ProfileChanged => {
            let (tokens, same) = (ada.login(app).await, json!({"name": "Countess", "locale": "ru"}));
            let changed = app.mutate("updateProfile", same.clone(), Some(&tokens.access)).await;
            assert_eq!(changed["user"]["name"], "Countess");
            Again::Mutation("updateProfile", same, Some(tokens.access), "UpdateProfileSuccess")
        }
        EventKind::LoggedOut | EventKind::LoggedOutEverywhere => {
            let tokens = ada.login(app).await;
            let everywhere = kind == EventKind::LoggedOutEverywhere;
            let input = json!({"refreshToken": tokens.refresh, "everywhere": everywhere});
            assert_eq!(app.mutate("logout", input.clone(), None).await["endedSessions"], 1);
            Again::Mutation("logout", input, None, "LogoutSuccess")
        }
        EventKind::SessionRevoked => {
            let (here, _there) = (ada.login(app).await, ada.login(app).await);
            let sessions = "{ me { sessions { edges { node { id current } } } } }";
            let listed = app.graphql(sessions, json!({}), Some(&here.access)).await;
            let edges = listed["data"]["me"]["sessions"]["edges"].as_array().unwrap();
            let other = edges.iter().find(|edge| edge["node"]["current"] == false).unwrap();
            let input = json!({"id": other["node"]["id"]});
            let revoked = app.mutate("revokeSession", input.clone(), Some(&here.access)).await;
            assert_eq!(revoked["__typename"], "RevokeSessionSuccess", "{revoked}");
            Again::Mutation("revokeSession", input, Some(here.access), "NOT_FOUND")
        }
        EventKind::AccountDeleted => {
            let (tokens, input) = (ada.login(app).await, json!({"currentPassword": ada.password}));
            app.mutate("deleteAccount", input.clone(), Some(&tokens.access)).await;
            Again::Mutation("deleteAccount", input, Some(tokens.access), "UNAUTHENTICATED")
        }
        EventKind::AccountAdded => words(&["users", "import", "users.jsonl"]),
        EventKind::AccountDisabled => words(&["users", "disable", &ada.email]),
        EventKind::AccountEnabled => {
            command(&["users", "disable", &ada.email]);
            words(&["users", "enable", &ada.email])
        }
        EventKind::SessionEndedByOperator => {
            ada.login(app).await;
            words(&["sessions", "end-all"])
        }
        EventKind::SigningKeyHastened => words(&["keys", "rotate"]),
        EventKind::SigningKeyRetired => {
            let keys = command(&["keys", "list"]);
            let next = keys.lines().find(|line| line.contains(" next ")).unwrap();
            words(&["keys", "retire", next.split_whitespace().next().unwrap()])
        }
    }
}

/// Of every kind that there is: a new one has to say here how it is done twice.
#[tokio::test]
async fn what_changes_nothing_leaves_no_event() {
    let app = TestApp::start(Mode::ZeroConfiguration).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("users.jsonl"), "{\"email\": \"bob@example.com\"}\n").unwrap();
    let command = |words: &[&str]| {
        let done = output(folder.path(), &app.operator_settings(), words);
        String::from_utf8(done.stdout).unwrap()
    };
    let mut left_again = Vec::new();
    // That which ends everything comes last.
    let is_end = |kind: &EventKind| *kind == EventKind::SessionEndedByOperator;
    let (ends, others): (Vec<_>, Vec<_>) = EventKind::ALL.into_iter().partition(is_end);
    for kind in others.into_iter().chain(ends) {
        let again = done_once(&app, kind, command).await;
        let count = async || {
            let times = "SELECT COALESCE(sum(times), 0)::bigint FROM security_events WHERE kind = $1";
            let times: i64 = sqlx::query_scalar(times)
                .bind(kind.as_str())
                .fetch_one(&mut app.database().await)
                .await
                .unwrap();
            times
        };
        let before = count().await;
        match again {
            Again::New | Again::Refused => continue,
            Again::Mutation(name, input, bearer, expected) => {
                let answer = app.try_mutate(name, input, bearer.as_deref()).await;
                let (result, error) = (&answer["data"][name], &answer["errors"][0]["extensions"]["code"]);
                let told = [&result["__typename"], &result["code"], error];
                assert!(told.into_iter().any(|told| told == expected), "{kind:?}: {answer}");
            }
            Again::Command(words) => {
                drop(command(&words.iter().map(String::as_str).collect::<Vec<_>>()));
            }
        }
        if count().await != before {
            left_again.push(kind);
        }
        // That of an address that stays the same was not even left at first.
        assert!(before > 0 || kind == EventKind::EmailChanged, "{kind:?} was not done");
    }
    assert_eq!(left_again, []);
}

/// The rows of these kinds: which, how often, and the request of the last time.
async fn rows(app: &TestApp, kinds: &[&str]) -> Vec<(String, i32, String)> {
    let rows = "SELECT kind, times, request_id FROM security_events WHERE kind = ANY($1) ORDER BY id";
    sqlx::query_as(rows).bind(kinds).fetch_all(&mut app.database().await).await.unwrap()
}

/// Asks for another name, from `device` and under this request id.
async fn rename(app: &TestApp, tokens: &Tokens, name: &str, device: &str, request: &str) {
    let update = "mutation ($name: String) { updateProfile(input: { name: $name }) { __typename } }";
    let headers = [("user-agent", device), ("x-request-id", request)];
    let answer = app.graphql_with(&headers, update, json!({"name": name}), Some(&tokens.access)).await;
    assert_eq!(answer["data"]["updateProfile"]["__typename"], "UpdateProfileSuccess", "{answer}");
}

#[tokio::test]
async fn equal_events_in_a_row_are_one_row_for_a_day() {
    let app = TestApp::start(Mode::ZeroConfiguration).await;
    let ada = app.registered("Ada").await;
    let (laptop, phone) = (ada.login(&app).await, ada.login(&app).await);
    for turn in 0..20 {
        rename(&app, &laptop, &format!("Ada {turn}"), "laptop", &format!("laptop-{turn}")).await;
    }
    app.advance(TimeDelta::hours(23)).await;
    let laptop = laptop.refresh(&app).await;
    rename(&app, &laptop, "Ada", "laptop", "next-day").await;
    // What differs, in the session, the device or the kind, is kept apart; so is what comes after it.
    let phone = phone.refresh(&app).await;
    rename(&app, &phone, "Ada I", "laptop", "other-session").await;
    rename(&app, &phone, "Ada II", "phone", "other-device").await;
    for turn in 0..3 {
        let asked =
            "mutation ($email: String!) { requestPasswordReset(input: { email: $email }) { __typename } }";
        let headers = [("user-agent", "phone"), ("x-request-id", &*format!("reset-{turn}"))];
        app.graphql_with(&headers, asked, json!({"email": ada.email}), None).await;
    }
    rename(&app, &phone, "Ada III", "phone", "after-another-kind").await;
    app.advance(TimeDelta::hours(25)).await;
    let phone = phone.refresh(&app).await;
    rename(&app, &phone, "Ada IV", "phone", "a-day-later").await;
    let row = |kind: &str, times: i32, request: &str| (kind.to_owned(), times, request.to_owned());
    let changed = |times, request| row("profile_changed", times, request);
    let expected = [
        changed(21, "next-day"),
        changed(1, "other-session"),
        changed(1, "other-device"),
        row("password_reset_requested", 3, "reset-2"),
        changed(1, "after-another-kind"),
        changed(1, "a-day-later"),
    ];
    assert_eq!(rows(&app, &["profile_changed", "password_reset_requested"]).await, expected);

    // The person reads the count and the last time; an operator finds by the last time what began long before.
    let document = "{ me { securityEvents { edges { node { kind count createdAt } } } } }";
    let seen = app.graphql(document, json!({}), Some(&phone.access)).await;
    let seen = &seen["data"]["me"]["securityEvents"]["edges"];
    assert_eq!(seen[5]["node"]["count"], 21, "{seen}");
    let at = |index: usize| -> DateTime<Utc> {
        seen[index]["node"]["createdAt"].as_str().unwrap().parse().unwrap()
    };
    assert!(at(5) - at(6) > TimeDelta::hours(22), "{seen}");
    let folder = tempfile::tempdir().unwrap();
    let search = ["events", "--json", "--kind", "profile_changed", "--since"];
    let found = |since: &str| {
        let found = output(folder.path(), &app.operator_settings(), &[&search[..], &[since]].concat());
        String::from_utf8(found.stdout).unwrap().lines().count()
    };
    // By the clock of this machine, which the command has: it began 20 hours ago, and was last 2 hours ago.
    let began = EventId::earliest(app.clock.now() - TimeDelta::hours(48 + 20));
    sqlx::query(
        "UPDATE security_events SET id = $1, occurred_at = now() - interval '2 hours' WHERE times = 21",
    )
    .bind(uuid::Uuid::from(began))
    .execute(&mut app.database().await)
    .await
    .unwrap();
    assert_eq!((found("1h"), found("3h")), (4, 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_events_lose_no_count_and_nobody_waits_for_ever() {
    let app = TestApp::start(Mode::ZeroConfiguration).await;
    let ada = app.registered("Ada").await;
    let wrong = Person { password: "a wrong password".to_owned(), ..ada.clone() };
    let tokens = ada.login(&app).await;
    let data = tempfile::tempdir().unwrap();
    let place = [("AUTHQL_DATA_DIR", data.path().to_str().unwrap())];
    let sister = app.sister_with(&place, app.clock.clone()).await;
    let renames = (0..200).map(|turn| {
        let (app, tokens) = (if turn % 2 == 0 { &app } else { &sister }, &tokens);
        async move { rename(app, tokens, &format!("Ada {turn}"), "laptop", "request").await }
    });
    let resets = (0..20).map(|_| app.mutate("requestPasswordReset", json!({"email": ada.email}), None));
    let guesses = (0..20).map(|_| wrong.try_login(&sister));
    tokio::join!(join_all(renames), join_all(resets), join_all(guesses));
    let mut instances = [app, sister];
    for instance in &mut instances {
        instance.stop().await;
    }
    let sum = "SELECT kind, sum(times)::bigint FROM security_events \
        WHERE kind IN ('profile_changed', 'password_reset_requested', 'login_failed') GROUP BY kind ORDER BY kind";
    let sums: Vec<(String, i64)> =
        sqlx::query_as(sum).fetch_all(&mut instances[0].database().await).await.unwrap();
    let expected = [("login_failed", 20), ("password_reset_requested", 20), ("profile_changed", 200)];
    assert_eq!(sums, expected.map(|(kind, times)| (kind.to_owned(), times)));
}

#[tokio::test]
async fn the_newest_row_of_an_account_is_found_by_an_index() {
    let app = TestApp::start(Mode::ZeroConfiguration).await;
    app.registered("Ada").await;
    let mut database = app.database().await;
    let others = "INSERT INTO security_events (id, user_id, kind, outcome, occurred_at) \
        SELECT gen_random_uuid(), gen_random_uuid(), 'logged_in', 'succeeded', now() FROM generate_series(1, 20000)";
    sqlx::raw_sql(others).execute(&mut database).await.unwrap();
    sqlx::raw_sql("ANALYZE security_events").execute(&mut database).await.unwrap();
    let mut transaction = sqlx::Connection::begin(&mut database).await.unwrap();
    for _ in 0..20 {
        let record = "SELECT record_security_event(gen_random_uuid(), '00000000-0000-0000-0000-000000000000', id, NULL, \
            'registered', 'succeeded', now(), 1, '127.0.0.1', NULL, NULL) FROM users";
        sqlx::raw_sql(record).execute(&mut *transaction).await.unwrap();
    }
    let scans = "SELECT seq_scan, idx_scan FROM pg_stat_xact_user_tables WHERE relname = 'security_events'";
    let (whole, by_index): (i64, i64) = sqlx::query_as(scans).fetch_one(&mut *transaction).await.unwrap();
    assert_eq!(whole, 0, "the whole table was read");
    assert!(by_index >= 40, "{by_index}");
    let times = "SELECT times FROM security_events JOIN users ON users.id = user_id";
    let times: Vec<i32> = sqlx::query_scalar(times).fetch_all(&mut *transaction).await.unwrap();
    assert_eq!(times.iter().sum::<i32>(), 21);
}
