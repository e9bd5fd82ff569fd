//! Ten thousand refreshes that race, repeat themselves and are interrupted, over two instances, with Redis killed and
//! started again meanwhile: no session is lost that was not revoked, and none lives that was (docs/faults.md F1, F26, F27, F28).

use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::support::{Person, TestApp, Tokens};

/// Sessions that storm at the same time.
const SESSIONS: usize = 25;
/// Refreshes of each, in rounds of one to four.
const REFRESHES: usize = 400;

/// A number that looks random and is the same in each run.
fn noise(seed: usize) -> usize {
    let mixed = (seed as u64).wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    usize::try_from((mixed ^ (mixed >> 31)) >> 33).unwrap()
}

/// Storms one session; answers what its client holds in the end.
async fn storm(
    instances: [&TestApp; 2],
    person: &Person,
    number: usize,
    sent: &watch::Sender<usize>,
) -> Tokens {
    let mut tokens = person.login(instances[0]).await;
    let mut done = 0;
    while done < REFRESHES {
        let luck = noise(number * 1_000_003 + done);
        let instance = |other: usize| instances[(luck + other) % 2];
        let answers = match luck % 5 {
            // A lost answer: the client gives up, and knows nothing of what became of it.
            0 => {
                let impatience = Duration::from_micros((luck % 4000) as u64);
                let _ = timeout(impatience, tokens.try_refresh(instance(0))).await;
                done += 1;
                sent.send_modify(|sent| *sent += 1);
                vec![tokens.refresh(instance(1)).await]
            }
            // Tabs at once.
            1 => join_all((0..4).map(|tab| tokens.refresh(instance(tab)))).await,
            // One after the other.
            2 => vec![tokens.refresh(instance(0)).await, tokens.refresh(instance(1)).await],
            _ => vec![tokens.refresh(instance(0)).await],
        };
        done += answers.len();
        sent.send_modify(|sent| *sent += answers.len());
        assert!(answers.iter().all(|answer| answer.refresh == answers[0].refresh), "the chain has forked");
        tokens = answers.into_iter().next().unwrap();
        if luck.is_multiple_of(7) {
            assert!(tokens.me(instance(0)).await.is_some(), "a good token was refused");
        }
    }
    tokens
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_refreshes_in_a_storm_lose_no_session_and_revive_none() {
    let Some(mut app) = TestApp::on_servers().await else { return };
    let mut redis = app.redis.take().unwrap();
    let sister = app.sister().await;
    let people =
        join_all((0..SESSIONS).map(|number| async move { Person::new(&format!("Ada{number}")) })).await;
    for person in &people {
        person.register(&app).await;
    }
    let sent = watch::Sender::new(0);
    let storms =
        people.iter().enumerate().map(|(number, person)| storm([&app, &sister], person, number, &sent));
    let mut revoked = Vec::new();
    let weather = async {
        for quarter in 1..4 {
            let goal = SESSIONS * REFRESHES * quarter / 4;
            sent.subscribe().wait_for(|sent| *sent >= goal).await.unwrap();
            redis.kill();
            // While nobody can be told: what is revoked now stays so, here and there, before and after.
            let person = app.registered(&format!("Eve{quarter}")).await;
            let tokens = person.login(&app).await;
            assert!(tokens.me(&sister).await.is_some());
            assert_eq!(tokens.logout(&app).await, 1);
            assert_eq!(tokens.me(&sister).await, None, "a token outlived its session");
            redis.restart();
            revoked.push(tokens);
        }
    };
    let (held, ()) = tokio::join!(join_all(storms), weather);
    assert!(*sent.borrow() >= SESSIONS * REFRESHES);

    for tokens in revoked {
        for instance in [&app, &sister] {
            assert_eq!(
                (tokens.me(instance).await, &*tokens.refusal(instance).await),
                (None, "REFRESH_TOKEN_INVALID")
            );
        }
    }

    // Every second one logs out while it refreshes on the other instance.
    let ends = held.iter().step_by(2).map(|tokens| async {
        let (ended, late) = tokio::join!(tokens.logout(&app), tokens.try_refresh(&sister));
        assert_eq!(ended, 1);
        late["data"]["refresh"]["tokens"]
            .as_object()
            .map(|_| Tokens::read(&late["data"]["refresh"]["tokens"]))
    });
    let late = join_all(ends).await;
    for (index, tokens) in held.iter().enumerate() {
        for instance in [&app, &sister] {
            if index % 2 == 0 {
                assert_eq!(tokens.refusal(instance).await, "REFRESH_TOKEN_INVALID");
                for tokens in late[index / 2].iter().chain([tokens]) {
                    assert_eq!(tokens.me(instance).await, None, "a token outlived its session");
                }
            } else {
                assert!(tokens.refresh(instance).await.me(instance).await.is_some(), "a session was lost");
            }
        }
    }
}
