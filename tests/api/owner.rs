//! What the owner of an account can always do, with an attack on it going on (docs/security.md BUD-5, LOG-5): log in where they have
//! been before, and set a new password by mail.

use chrono::TimeDelta;
use serde_json::json;

use crate::support::{BEHIND_A_PROXY, Letter, Mode, Outcome, Person, TestApp, Visitor, in_both_modes};

const ON: (&str, &str) = ("AUTHQL_RATE_LIMITS", "on");
/// So slowly that nothing is refilled while a test runs.
const SLOW: (&str, &str) = ("AUTHQL_RATE_LIMIT_ACCOUNT", "6/24h");
/// So many guesses that only the count in the database holds them up.
const UNHURRIED: (&str, &str) = ("AUTHQL_RATE_LIMIT_ACCOUNT", "100000/1s");
const NO_NETWORKS: (&str, &str) = ("AUTHQL_RATE_LIMIT_NETWORK", "off");

const HOME: &str = "203.0.113.9";
const ELSEWHERE: &str = "192.0.2.77";
const STRONG: &str = "a quite different staple";

/// Signs in at this address, and lets two days pass for that session: the network is known from then on.
async fn lived_at(app: &TestApp, person: &Person, address: &str) {
    let success = Visitor::at(address).tries_password(app, person, &person.password).await;
    assert_eq!(success, Outcome::Success);
    sqlx::query("UPDATE sessions SET created_at = created_at - interval '2 days'")
        .execute(&mut app.database().await)
        .await
        .unwrap();
}

async fn asks_for_a_link(app: &TestApp, person: &Person, address: &str) -> Outcome {
    Visitor::at(address).tries(app, "requestPasswordReset", json!({"email": person.email}), None).await
}

/// The links for a new password that have arrived, once there are so many.
async fn links(app: &TestApp, person: &Person, count: usize) -> Vec<Letter> {
    let letters = app.letters_to(&person.email, count + 1).await;
    letters.into_iter().filter(|letter| letter.subject.starts_with("Set a new password")).collect()
}

in_both_modes! {
    with &[ON, BEHIND_A_PROXY];

    /// Fifteen in three hours were all that an address got in a day.
    async fn a_link_arrives_however_often_strangers_asked(app: TestApp) {
        let ada = app.registered("Ada").await;
        for hour in 0..3 {
            for network in 0..5 {
                let stranger = format!("198.51.{}.7", 10 * hour + network);
                assert_eq!(asks_for_a_link(&app, &ada, &stranger).await, Outcome::Success);
            }
            links(&app, &ada, 5 * (hour + 1)).await;
            if hour < 2 {
                app.advance(TimeDelta::hours(1)).await;
            }
        }
        assert_eq!(asks_for_a_link(&app, &ada, ELSEWHERE).await, Outcome::Success);
        let arrived = links(&app, &ada, 16).await;
        assert_eq!(arrived.len(), 16);
        let input = json!({"token": arrived[15].token("resetPassword"), "newPassword": STRONG});
        let mut owner = Visitor::at(ELSEWHERE);
        assert_eq!(owner.tries(&app, "resetPassword", input, None).await, Outcome::Success);
        assert_eq!(owner.tries_password(&app, &ada, STRONG).await, Outcome::Success);
    }

    /// However many networks ask: a link that works is always there, and the mailbox is not buried.
    async fn a_link_that_works_is_in_the_mailbox_all_day(app: TestApp) {
        let ada = app.registered("Ada").await;
        let mut arrived = 0;
        for hour in 0..12 {
            for network in 0..12 {
                asks_for_a_link(&app, &ada, &format!("198.{}.{network}.7", 51 + hour)).await;
            }
            let sent: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM outbox WHERE kind = 'password_reset' AND state <> 'suppressed'",
            )
            .fetch_one(&mut app.database().await)
            .await
            .unwrap();
            arrived = usize::try_from(sent).unwrap();
            let letters = links(&app, &ada, arrived).await;
            let good: i64 = sqlx::query_scalar("SELECT count(*) FROM mail_tokens WHERE purpose = 'reset_password' AND consumed_at IS NULL AND expires_at > $1")
                .bind(authql::ports::Clock::now(&*app.clock))
                .fetch_one(&mut app.database().await)
                .await
                .unwrap();
            assert!(good > 0 && letters.len() == arrived, "hour {hour}: {good} of {arrived}");
            app.advance(TimeDelta::minutes(30)).await;
        }
        assert!(arrived <= 15 + 2 * 7, "{arrived} in six hours");
        asks_for_a_link(&app, &ada, ELSEWHERE).await;
        let (mut owner, mut is_in) = (Visitor::at(ELSEWHERE), false);
        for link in links(&app, &ada, arrived + 1).await.iter().rev() {
            let input = json!({"token": link.token("resetPassword"), "newPassword": STRONG});
            is_in |= owner.tries(&app, "resetPassword", input, None).await == Outcome::Success;
        }
        assert!(is_in, "none of the links works");
    }
}

in_both_modes! {
    with &[ON, BEHIND_A_PROXY, SLOW];

    async fn a_new_browser_at_home_is_no_stranger(app: TestApp) {
        let ada = app.registered("Ada").await;
        lived_at(&app, &ada, HOME).await;
        // From many networks, and from next door.
        for network in 0..5 {
            Visitor::at(&format!("198.51.{network}.7")).guesses(&app, &ada, 8).await;
        }
        Visitor::at("203.0.113.200").guesses(&app, &ada, 8).await;
        let stranger = Visitor::at(ELSEWHERE).tries_password(&app, &ada, &ada.password).await;
        assert!(matches!(stranger, Outcome::Limited(Some(_))), "{stranger:?}");
        assert_eq!(Visitor::at(HOME).guesses(&app, &ada, 2).await, 2, "their own slips");
        let owner = Visitor::at(HOME).tries_password(&app, &ada, &ada.password).await;
        assert_eq!(owner, Outcome::Success);

        // And an address without an account is known from nowhere.
        let nobody = Person::new("Nobody");
        for network in 0..5 {
            Visitor::at(&format!("198.51.{network}.7")).guesses(&app, &nobody, 8).await;
        }
        assert_eq!(Visitor::at(HOME).guesses(&app, &nobody, 1).await, 0);
    }

    async fn a_network_is_known_by_a_session_of_yesterday_that_nothing_was_wrong_with(app: TestApp) {
        let ada = app.registered("Ada").await;
        let attack = async |from: u8| {
            for network in 0..4 {
                Visitor::at(&format!("198.{from}.{network}.7")).guesses(&app, &ada, 8).await;
            }
        };
        lived_at(&app, &ada, HOME).await;
        // A session of today proves nothing: whoever guessed the password has one.
        let mut intruder = Visitor::at(ELSEWHERE);
        assert_eq!(intruder.tries_password(&app, &ada, &ada.password).await, Outcome::Success);
        attack(51).await;
        assert_eq!(Visitor::at(ELSEWHERE).guesses(&app, &ada, 1).await, 0);
        assert_eq!(Visitor::at(HOME).guesses(&app, &ada, 1).await, 1);

        assert_eq!(asks_for_a_link(&app, &ada, HOME).await, Outcome::Success);
        let token = app.letter_about(&ada.email, "Set a new password").await.token("resetPassword");
        let input = json!({"token": token, "newPassword": STRONG});
        assert_eq!(Visitor::at("192.0.2.99").tries(&app, "resetPassword", input, None).await, Outcome::Success);
        attack(52).await;
        assert_eq!(Visitor::at(HOME).guesses(&app, &ada, 1).await, 0, "a reset forgets all");
    }

    async fn whoever_is_signed_in_can_change_their_password_meanwhile(app: TestApp) {
        let ada = app.registered("Ada").await;
        let tokens = ada.login(&app).await;
        for network in 0..4 {
            Visitor::at(&format!("198.51.{network}.7")).guesses(&app, &ada, 8).await;
        }
        let input = json!({"currentPassword": ada.password, "newPassword": STRONG});
        let mut owner = Visitor::at(ELSEWHERE);
        assert_eq!(owner.tries(&app, "changePassword", input, Some(&tokens.access)).await, Outcome::Success);
    }
}

in_both_modes! {
    with &[ON, BEHIND_A_PROXY, UNHURRIED, NO_NETWORKS];

    async fn eighty_wrong_passwords_stop_strangers_and_not_the_owner(app: TestApp) {
        let ada = app.registered("Ada").await;
        lived_at(&app, &ada, HOME).await;
        for _ in 0..4 {
            Visitor::at("198.51.100.7").guesses(&app, &ada, 25).await;
        }
        let stranger = Visitor::at(ELSEWHERE).tries_password(&app, &ada, &ada.password).await;
        assert_eq!(stranger, Outcome::Limited(None));
        assert_eq!(Visitor::at(HOME).tries_password(&app, &ada, &ada.password).await, Outcome::Success);
    }
}
