//! Revocation at once, everywhere, whatever fails (docs/security.md OUT, docs/faults.md F1 to F5, F31).

use std::sync::Arc;
use std::time::Instant;

use chrono::TimeDelta;

use crate::support::{Line, Proxy, Target, TestApp, TestClock, Tokens, eventually, quiet_and_under_load};

/// A second instance, with a line of its own to the same Redis.
async fn sister_on_a_line(app: &TestApp) -> (TestApp, Proxy) {
    let port = app.setting("REDIS_URL").rsplit(':').next().unwrap().parse().unwrap();
    let line = Proxy::to(Target::Port(port)).await;
    let url = format!("redis://127.0.0.1:{}", line.port);
    let sister = app.sister_with(&[("REDIS_URL", &url)], Arc::clone(&app.clock)).await;
    (sister, line)
}

/// Waits until an instance hears of ends without asking rows: then a logout elsewhere reaches it.
async fn hears(instance: &TestApp, from: &TestApp, tokens: &Tokens) {
    assert!(tokens.me(instance).await.is_some());
    assert_eq!(tokens.logout(from).await, 1);
    eventually("the end is known", async || tokens.me(instance).await.is_none().then_some(())).await;
}

/// The figure in the README: `cargo test --release how_fast -- --nocapture`. Nothing here depends on the time it takes.
#[tokio::test]
async fn how_fast_a_logout_reaches_another_instance() {
    let Some(app) = TestApp::on_servers().await else { return };
    let (sister, _line) = sister_on_a_line(&app).await;
    let ada = app.registered("Ada").await;
    hears(&sister, &app, &ada.login(&app).await).await;
    let mut micros = Vec::new();
    for _ in 0..100 {
        let tokens = ada.login(&app).await;
        assert!(tokens.me(&sister).await.is_some());
        assert_eq!(tokens.logout(&app).await, 1);
        let answered = Instant::now();
        while tokens.me(&sister).await.is_some() {}
        micros.push(answered.elapsed().as_micros());
    }
    micros.sort_unstable();
    println!(
        "from the answer to a logout until another instance refuses: p50 {} µs, p99 {} µs",
        micros[49], micros[98]
    );
}

#[tokio::test]
async fn a_cut_off_instance_honours_the_logouts_of_others() {
    quiet_and_under_load(async |app| {
        let (sister, line) = sister_on_a_line(app).await;
        let ada = app.registered("Ada").await;
        hears(&sister, app, &ada.login(app).await).await;
        let tokens = ada.login(app).await;
        line.set(Line::Cut);
        // It notices the closed connection, and asks rows from then on: nothing to wait for.
        assert!(tokens.me(&sister).await.is_some());
        assert_eq!(tokens.logout(app).await, 1);
        eventually("the end is known", async || tokens.me(&sister).await.is_none().then_some(())).await;

        line.set(Line::Open);
        hears(&sister, app, &ada.login(app).await).await;
    })
    .await;
}

#[tokio::test]
async fn a_logout_on_a_cut_off_instance_is_known_everywhere_when_it_is_answered() {
    quiet_and_under_load(async |app| {
        let (sister, line) = sister_on_a_line(app).await;
        let ada = app.registered("Ada").await;
        hears(app, &sister, &ada.login(app).await).await;
        for state in [Line::Cut, Line::Frozen] {
            line.set(state);
            let tokens = ada.login(app).await;
            assert!(tokens.me(app).await.is_some());
            assert_eq!(tokens.logout(&sister).await, 1);
            assert_eq!(tokens.me(app).await, None, "{state:?}: known at once");
            assert_eq!(tokens.me(&sister).await, None);
        }
    })
    .await;
}

#[tokio::test]
async fn a_line_that_hangs_half_open_is_noticed() {
    quiet_and_under_load(async |app| {
        let (sister, line) = sister_on_a_line(app).await;
        let ada = app.registered("Ada").await;
        hears(&sister, app, &ada.login(app).await).await;
        let tokens = ada.login(app).await;
        line.set(Line::Frozen);
        assert_eq!(tokens.logout(app).await, 1);
        eventually("the end is known", async || tokens.me(&sister).await.is_none().then_some(())).await;
    })
    .await;
}

#[tokio::test]
async fn an_end_that_nobody_announced_is_found() {
    let Some(app) = TestApp::on_servers().await else { return };
    let tokens = app.registered("Ada").await.login(&app).await;
    assert!(tokens.me(&app).await.is_some());
    let by_hand = "UPDATE sessions SET ended_at = now(), end_reason = 'logout'";
    sqlx::query(by_hand).execute(&mut app.database().await).await.unwrap();
    eventually("the end is known", async || tokens.me(&app).await.is_none().then_some(())).await;
}

#[tokio::test]
async fn an_ended_session_stays_so_through_a_restart() {
    let Some(mut app) = TestApp::on_servers().await else { return };
    let tokens = app.registered("Ada").await.login(&app).await;
    assert_eq!(tokens.logout(&app).await, 1);
    let _: String = app.redis.as_ref().unwrap().command("FLUSHALL").await;
    app.restart().await;
    for _ in 0..20 {
        assert_eq!(tokens.me(&app).await, None);
    }
}

#[tokio::test]
async fn a_full_or_evicting_or_frozen_redis_revives_nobody_and_ends_nobody() {
    for trouble in
        ["CONFIG SET maxmemory 1", "CONFIG SET maxmemory-policy allkeys-random", "CLIENT PAUSE 3000 ALL"]
    {
        quiet_and_under_load(async |app| {
            let ada = app.registered("Ada").await;
            let (ended, living) = (ada.login(app).await, ada.login(app).await);
            let _: String = app.redis.as_ref().unwrap().command(trouble).await;
            assert_eq!(ended.logout(app).await, 1, "{trouble}");
            assert_eq!(ended.me(app).await, None, "{trouble}");
            assert_eq!(ended.refusal(app).await, "REFRESH_TOKEN_INVALID", "{trouble}");
            assert!(living.me(app).await.is_some(), "{trouble}");
            assert!(living.refresh(app).await.me(app).await.is_some(), "{trouble}");
        })
        .await;
    }
}

#[tokio::test]
async fn instances_whose_clocks_differ_raise_no_alarm_and_extend_nothing() {
    quiet_and_under_load(async |app| {
        for seconds in [55, -55, 300, -300] {
            let offset = TimeDelta::seconds(seconds);
            let clock = Arc::new(TestClock::new());
            clock.advance(offset);
            let sister = app.sister_with(&[], clock).await;
            let ada = app.registered(&format!("Ada{seconds}")).await;
            let first = ada.login(app).await;
            let second = first.refresh(&sister).await;
            assert!(
                second.me(app).await.is_some() || offset > TimeDelta::seconds(60),
                "{offset}: a good token"
            );
            assert_eq!(
                first.refresh(app).await.refresh,
                second.refresh,
                "{offset}: a second tab is no thief"
            );
            let third = second.refresh(app).await.refresh(&sister).await;
            assert!(third.me(&sister).await.is_some());
            assert_eq!(third.logout(&sister).await, 1);
            eventually("the end is known", async || third.me(app).await.is_none().then_some(())).await;
            let idle_until: chrono::DateTime<chrono::Utc> = sqlx::query_scalar(
                "SELECT expires_at FROM sessions ORDER BY created_at DESC, id DESC LIMIT 1",
            )
            .fetch_one(&mut app.database().await)
            .await
            .unwrap();
            let ahead = idle_until - authql::ports::Clock::now(&*app.clock) - TimeDelta::days(30);
            assert!(ahead <= offset.max(TimeDelta::zero()), "{offset}: extended by {ahead}");
        }
    })
    .await;
}
