//! What only a browser can tell (docs/security.md CSR-4, CSR-5), and npm's audit of GraphQL over HTTP (GQL-9).

use crate::support::{Edge, Mode, Node, Program, TestApp, find_one_of, program};

/// The scripts, and the browser that they drive. `None`, after saying so, where something is missing.
async fn chromium() -> Option<(Node, String)> {
    let browser = find_one_of(&["chromium", "chromium-browser", "google-chrome"])?;
    Some((Node::with("tests/node").await?, browser.to_str().unwrap().to_owned()))
}

/// The lines that GraphiQL's tabs show, without the time of day.
fn assert_five_tabs(output: &str) {
    let signed_in = "Signed in as ada@example.com. The access token is sent by itself, until";
    let signed_out = "Not signed in. After a login, the access token is sent by itself.";
    let expected = [
        format!("Register: RegisterSuccess | {signed_out}"),
        format!("LogIn: LoginSuccess | {signed_in}"),
        format!("Me: ada@example.com | {signed_in}"),
        format!("Refresh: RefreshSuccess | {signed_in}"),
        format!("LogOut: LogoutSuccess | {signed_out}"),
    ];
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!(lines.len(), expected.len(), "{output}");
    for (line, expected) in lines.iter().zip(&expected) {
        assert!(line.starts_with(expected), "{line} is not {expected}");
    }
}

#[tokio::test]
async fn graphiql_leads_through_the_five_operations_with_no_other_host_in_reach() {
    let Some((node, chromium)) = chromium().await else { return };
    let settings = [("AUTHQL_GRAPHIQL", "on"), ("AUTHQL_INTROSPECTION", "on")];
    let app = TestApp::start_with(Mode::ZeroConfiguration, &settings).await.unwrap();
    let listener = app.url.trim_start_matches("http://");
    let output = node.run("graphiql.mjs", &[&chromium, &app.url, listener]).await;
    assert_five_tabs(&output.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn graphiql_works_behind_nginx_where_it_is_asked_for() {
    let Some((node, chromium)) = chromium().await else { return };
    let url = "https://auth.example.com";
    let settings = [("AUTHQL_GRAPHIQL", "on"), ("AUTHQL_INTROSPECTION", "on"), ("AUTHQL_PUBLIC_URL", url)];
    let Some(app) = TestApp::start_with(Mode::Servers, &settings).await else { return };
    let Some(edge) = Edge::named("auth.example.com", &app).await else { return };
    let listener = format!("127.0.0.1:{}", edge.https);
    let output = node.run("graphiql.mjs", &[&chromium, url, &listener]).await;
    assert_five_tabs(&output.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_keeps_the_refresh_token_from_scripts_and_strangers() {
    let Some((node, chromium)) = chromium().await else { return };
    let settings = [
        ("AUTHQL_PUBLIC_URL", "https://auth.example.com"),
        ("AUTHQL_ALLOWED_ORIGINS", "https://app.example.com,https://app.example.org"),
    ];
    let Some(app) = TestApp::start_with(Mode::Servers, &settings).await else { return };
    let Some(edge) = Edge::named("auth.example.com", &app).await else { return };
    let listener = format!("127.0.0.1:{}", edge.https);
    let certificate = edge.certificate();
    let output = node.run("cookie_mode.mjs", &[&chromium, &listener, certificate.to_str().unwrap()]).await;
    assert_eq!(
        output.unwrap(),
        "log in: the browser keeps the token, and the page never sees it\n\
         refresh: after a reload, and in two tabs at once\n\
         pages of another site and of strangers: refused\n\
         log out: the cookie is gone\n"
    );
}

/// From the welcome to the farewell, on the mailbox page and the page that links lead to.
#[tokio::test]
async fn an_account_lives_its_life_by_mail_in_each_language() {
    let Some((node, chromium)) = chromium().await else { return };
    for (language, outcomes) in [
        (
            "en",
            "Your address is confirmed\nYour new password is set\nYour address was changed\nThis link does not work any more\n",
        ),
        ("ru", "Адрес подтверждён\nНовый пароль задан\nАдрес изменён\nЭта ссылка больше не действует\n"),
    ] {
        let data = program::folder();
        // Links lead to where the program really listens.
        let program = Program::start(data.path(), &[]);
        assert_eq!(node.run("mails.mjs", &[&chromium, &program.url, language]).await.unwrap(), outcomes);
        program.signal("TERM");
        program.wait().await;
    }
}

#[tokio::test]
async fn the_audit_of_graphql_over_http_finds_nothing() {
    let Some(node) = Node::with("tests/node").await else { return };
    // Some of its points ask for a type by its name.
    let settings = [("AUTHQL_INTROSPECTION", "on")];
    let app = TestApp::start_with(Mode::ZeroConfiguration, &settings).await.unwrap();
    let output = node.run("audit.mjs", &[&format!("{}/graphql", app.url)]).await;
    assert_eq!(output.unwrap(), "61 of 61\n");
}
