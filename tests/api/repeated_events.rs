//! What happens again is no storm of events (SECURITY.md BUD-7, AUD-5).

use authql::domain::EventKind;
use serde_json::{Value, json};

use crate::support::program::output;
use crate::support::{Mode, TestApp};

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
