//! A session against a plain model of it: whatever order refreshes, replays, thefts, logouts, waits and losses come in, the
//! server does what the table of docs/design.md#sessions says.

use chrono::TimeDelta;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::Runtime;

use crate::support::{Mode, TestApp, Tokens};

/// What somebody does to a session.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Presents the refresh token that was issued so many generations ago; 0 is the newest.
    Refresh(usize),
    /// Asks `me` with the newest access token.
    Look,
    Logout,
    /// The clock moves by so many seconds, or steps back.
    Wait(i64),
    /// Redis loses everything, where there is one.
    Flush,
}

/// Waits are multiples of seven seconds: the server's clock runs on while the model's stands still, and no sum of them comes
/// closer than a second to a limit from below.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => Just(Step::Refresh(0)),
        6 => Just(Step::Refresh(1)),
        1 => (2_usize..4).prop_map(Step::Refresh),
        5 => Just(Step::Look),
        1 => Just(Step::Logout),
        3 => (1_i64..5).prop_map(|short| Step::Wait(short * 7)),
        2 => (5_i64..90).prop_map(|long| Step::Wait(long * 7)),
        2 => (1_i64..30).prop_map(|hours| Step::Wait(hours * 3598)),
        1 => (1_i64..31).prop_map(|days| Step::Wait(days * 86_401)),
        1 => (1_i64..60).prop_map(|step| Step::Wait(step * -7)),
        1 => Just(Step::Flush),
    ];
    prop::collection::vec(step, 1..25)
}

/// What must be true of a session, in as few words as possible. Times are seconds since its login.
struct Model {
    now: i64,
    is_over: bool,
    rotated_at: i64,
    idle_until: i64,
    /// Whether a token of the newest generation has been shown.
    is_newest_seen: bool,
    access_issued_at: i64,
    access_until: i64,
}

const DAY: i64 = 86_400;

#[derive(Debug, PartialEq, Eq)]
enum Expected {
    Successor,
    SameAgain,
    Reused,
    Invalid,
}

impl Model {
    fn new() -> Self {
        Self {
            now: 0,
            is_over: false,
            rotated_at: 0,
            idle_until: 30 * DAY,
            is_newest_seen: false,
            access_issued_at: 0,
            access_until: 900,
        }
    }

    fn is_live(&self) -> bool {
        !self.is_over && self.now < self.idle_until
    }

    fn issue_access(&mut self) {
        self.access_issued_at = self.now;
        self.access_until = (self.now + 900).min(self.idle_until);
    }

    /// Neither of the past nor of the future, by more than clocks may differ.
    fn is_access_good(&self) -> bool {
        self.is_live() && self.now < self.access_until && self.access_issued_at <= self.now + 60
    }

    fn refresh(&mut self, age: usize) -> Expected {
        let since = self.now - self.rotated_at;
        let expected = match age {
            _ if !self.is_live() => return Expected::Invalid,
            0 => Expected::Successor,
            1 if since <= 30 || (!self.is_newest_seen && since <= DAY) => Expected::SameAgain,
            _ => Expected::Reused,
        };
        match expected {
            Expected::Successor => {
                self.rotated_at = self.now;
                self.idle_until = (self.now + 30 * DAY).min(90 * DAY);
                self.is_newest_seen = false;
                self.issue_access();
            }
            Expected::SameAgain => self.issue_access(),
            Expected::Reused => self.is_over = true,
            Expected::Invalid => {}
        }
        expected
    }
}

/// Plays the steps on the server and on the model.
async fn play(app: &TestApp, number: usize, steps: &[Step]) -> Result<(), TestCaseError> {
    let person = app.registered(&format!("Ada{number}")).await;
    let mut model = Model::new();
    let mut issued: Vec<Tokens> = vec![person.login(app).await];
    for step in steps {
        match *step {
            Step::Refresh(age) => {
                let Some(presented) = issued.len().checked_sub(age + 1).map(|index| issued[index].clone())
                else {
                    continue;
                };
                let expected = model.refresh(age);
                let answer = presented.try_refresh(app).await["data"]["refresh"].take();
                let found = match answer["code"].as_str() {
                    Some("REFRESH_TOKEN_REUSED") => Expected::Reused,
                    Some("REFRESH_TOKEN_INVALID") => Expected::Invalid,
                    Some(other) => return Err(TestCaseError::fail(format!("refused with {other}"))),
                    None => {
                        let tokens = Tokens::read(&answer["tokens"]);
                        let newest = &issued[issued.len() - 1];
                        if tokens.refresh == newest.refresh {
                            let index = issued.len() - 1;
                            issued[index] = tokens;
                            Expected::SameAgain
                        } else {
                            issued.push(tokens);
                            Expected::Successor
                        }
                    }
                };
                prop_assert_eq!(found, expected, "after {:?}", step);
            }
            Step::Look => {
                let expected = model.is_access_good();
                let is_welcome = issued[issued.len() - 1].me(app).await.is_some();
                prop_assert_eq!(is_welcome, expected);
                model.is_newest_seen |= is_welcome;
            }
            Step::Logout => {
                let expected = i64::from(model.is_live());
                model.is_over = true;
                prop_assert_eq!(issued[issued.len() - 1].logout(app).await, expected);
            }
            Step::Wait(seconds) => {
                model.now += seconds;
                app.advance(TimeDelta::seconds(seconds)).await;
            }
            Step::Flush => {
                if let Some(redis) = &app.redis {
                    let _: String = redis.command("FLUSHALL").await;
                }
            }
        }
    }
    Ok(())
}

fn check(mode: Mode, cases: u32) {
    let runtime = Runtime::new().unwrap();
    let Some(app) = runtime.block_on(TestApp::start_with(mode, &[])) else { return };
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let number = std::cell::Cell::new(0);
    let outcome = runner.run(&steps(), |steps| {
        number.set(number.get() + 1);
        runtime.block_on(play(&app, number.get(), &steps))
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

#[test]
fn a_session_does_what_its_model_does_in_zero_configuration() {
    check(Mode::ZeroConfiguration, 100);
}

#[test]
fn a_session_does_what_its_model_does_on_servers() {
    check(Mode::Servers, 100);
}
