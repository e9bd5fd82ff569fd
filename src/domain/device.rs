//! Devices, as far as a request shows them: what people recognise their sessions by.

use std::net::IpAddr;

use secrecy::{ExposeSecret, SecretString};

use super::ClientNetworks;

/// The longest user agent that is kept, in characters.
const MAX_USER_AGENT: usize = 300;

/// What the session's owner recognises it by, and what we do.
#[derive(Debug, Clone, Default)]
pub struct DeviceInfo {
    user_agent: Option<String>,
    address: Option<IpAddr>,
    token: Option<SecretString>,
}

/// Browsers by what only they, among those further down, have in their user agents: most claim to be Chrome, and Chrome
/// claims to be Safari.
const BROWSERS: [(&str, &str); 16] = [
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("OPR/", "Opera"),
    ("OPT/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("YaBrowser/", "Yandex Browser"),
    ("Vivaldi/", "Vivaldi"),
    ("DuckDuckGo/", "DuckDuckGo"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Chromium/", "Chromium"),
    ("Safari/", "Safari"),
    ("MSIE ", "Internet Explorer"),
];

/// Systems, in the same way: Android is a Linux too, and an iPhone's is "like Mac OS X".
const SYSTEMS: [(&str, &str); 8] = [
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Macintosh", "Mac"),
    ("Linux", "Linux"),
    ("FreeBSD", "FreeBSD"),
];

/// Programs that are no browsers, by the beginning of their user agents.
const TOOLS: [(&str, &str); 6] = [
    ("curl/", "curl"),
    ("Wget/", "Wget"),
    ("HTTPie/", "HTTPie"),
    ("PostmanRuntime/", "Postman"),
    ("insomnia/", "Insomnia"),
    ("python-requests/", "Python"),
];

impl DeviceInfo {
    /// Keeps the first 300 printable characters of a `User-Agent` header, and the address of the client.
    #[must_use]
    pub fn new(user_agent: Option<&str>, address: Option<IpAddr>) -> Self {
        let printable = user_agent.unwrap_or_default().chars().filter(|c| !c.is_control());
        let kept: String = printable.take(MAX_USER_AGENT).collect();
        Self { user_agent: (!kept.is_empty()).then_some(kept), address, token: None }
    }

    /// The same device with the token, unchecked, by which it says that somebody has signed in on it before.
    #[must_use]
    pub fn with_token(self, token: Option<SecretString>) -> Self {
        Self { token, ..self }
    }

    /// The user agent, where there was one.
    #[must_use]
    pub fn user_agent(&self) -> Option<&str> {
        self.user_agent.as_deref()
    }

    /// The network address, where it is known.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// The networks that its attempts are counted with, where its address is known.
    #[must_use]
    pub fn networks(&self) -> Option<ClientNetworks> {
        self.address.map(ClientNetworks::of)
    }

    /// The token that it brings, unchecked.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        self.token.as_ref().map(ExposeSecret::expose_secret)
    }

    /// A name such as `Firefox on Linux`; `None` when the user agent tells nothing that is known here. It is made of our own
    /// words only: a client cannot put others in front of the person.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        let user_agent = self.user_agent()?;
        if let Some((_, tool)) = TOOLS.iter().find(|(start, _)| user_agent.starts_with(start)) {
            return Some((*tool).to_owned());
        }
        let first = |known: &[(&str, &'static str)]| {
            known.iter().find(|(mark, _)| user_agent.contains(mark)).map(|(_, name)| *name)
        };
        match (first(&BROWSERS), first(&SYSTEMS)) {
            (Some(browser), Some(system)) => Some(format!("{browser} on {system}")),
            (browser, system) => browser.or(system).map(str::to_owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(user_agent: &str) -> Option<String> {
        DeviceInfo::new(Some(user_agent), None).name()
    }

    #[test]
    fn a_user_agent_is_kept_printable_and_short() {
        let device = DeviceInfo::new(Some(&format!("Mozilla\r\n{}", "x".repeat(1000))), None);
        assert_eq!(device.user_agent().unwrap().len(), 300);
        assert!(device.user_agent().unwrap().starts_with("Mozillax"));
        assert_eq!(DeviceInfo::new(Some("\t"), None).user_agent(), None);
    }

    #[test]
    fn browsers_and_systems_are_recognised_behind_their_disguises() {
        for (user_agent, expected) in [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "Firefox on Linux"),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Version/17.5 Mobile/15E148 Safari/604.1",
                "Safari on iPhone",
            ),
            (
                "Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 FxiOS/127.0 Mobile/15E148 Safari/605.1.15",
                "Firefox on iPad",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 CriOS/126.0.6478.54 Mobile/15E148 Safari/604.1",
                "Chrome on iPhone",
            ),
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 \
                 Mobile Safari/537.36",
                "Chrome on Android",
            ),
            (
                "Mozilla/5.0 (Linux; Android 13; SAMSUNG SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) \
                 SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36",
                "Samsung Internet on Android",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/124.0.0.0 Safari/537.36 OPR/110.0.0.0",
                "Opera on Windows",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Version/17.5 Safari/605.1.15",
                "Safari on Mac",
            ),
            (
                "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/126.0.0.0 Safari/537.36",
                "Chrome on ChromeOS",
            ),
            ("Dalvik/2.1.0 (Linux; U; Android 14; Pixel 8 Build/AP1A.240505.005)", "Android"),
            ("curl/8.5.0", "curl"),
            ("PostmanRuntime/7.39.0", "Postman"),
            ("Wget/1.21.4 (linux-gnu)", "Wget"),
        ] {
            assert_eq!(name(user_agent).as_deref(), Some(expected), "{user_agent}");
        }
    }

    #[test]
    fn what_is_unknown_has_no_name() {
        for user_agent in ["", "Mozilla/5.0", "node", "okhttp/4.12.0", "<script>alert(1)</script>"] {
            assert_eq!(name(user_agent), None, "{user_agent}");
        }
        assert_eq!(DeviceInfo::default().name(), None);
    }
}
