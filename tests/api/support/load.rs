//! People who go about their business while something fails: docs/faults.md asks for each row quiet and under load.

use std::cell::Cell;

use futures_util::future::join_all;

use super::app::TestApp;
use super::person::Person;

/// How many people are about.
const PEOPLE: usize = 4;

/// Tells a story twice, each time on servers of its own: with nobody else there, and among people who log in, refresh, look
/// and log out all the while. What they are told must hold as well.
pub async fn quiet_and_under_load(story: impl AsyncFn(&TestApp)) {
    let Some(app) = TestApp::on_servers().await else { return };
    story(&app).await;
    let Some(app) = TestApp::on_servers().await else { return };
    let people = join_all((0..PEOPLE).map(|number| {
        let app = &app;
        async move { app.registered(&format!("Passerby{number}")).await }
    }))
    .await;
    let is_over = Cell::new(false);
    let ending = async {
        story(&app).await;
        is_over.set(true);
    };
    tokio::join!(ending, join_all(people.iter().map(|person| go_about(&app, person, &is_over))));
}

/// Sessions from login to logout, until it is over. No fault of an accelerator may be seen in them.
async fn go_about(app: &TestApp, person: &Person, is_over: &Cell<bool>) {
    while !is_over.get() {
        let first = person.login(app).await;
        assert!(first.me(app).await.is_some(), "a good token was refused");
        let second = first.refresh(app).await;
        assert_eq!(first.refresh(app).await.refresh, second.refresh, "the chain has forked");
        assert!(second.refresh(app).await.me(app).await.is_some(), "a good token was refused");
        assert_eq!(second.logout(app).await, 1);
        assert_eq!(second.me(app).await, None, "a token outlived its session");
    }
}
