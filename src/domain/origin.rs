//! Where pages come from: the origins (RFC 6454) whose scripts may speak to us with their visitors' credentials.

use url::{Host, Url};

/// The origins of pages that are ours: that of the server itself, and those of front ends that the operator names.
#[derive(Debug, Clone)]
pub struct Origins {
    own: String,
    is_secure: bool,
    allowed: Vec<String>,
}

/// Why a text is no list of origins. Each has the part that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OriginsError {
    /// It stands for more than one origin.
    #[error("`{0}` is no single origin")]
    Wildcard(String),
    /// It does not begin with `https://` or `http://`.
    #[error("`{0}` has no scheme")]
    NoScheme(String),
    /// Something follows the host and the port.
    #[error("`{0}` is more than an origin")]
    TooMuch(String),
    /// Whoever is between the two could change the page.
    #[error("`{0}` is http on a public host")]
    Insecure(String),
    /// It is no origin for another reason.
    #[error("`{0}` is no origin")]
    Malformed(String),
}

impl Origins {
    /// Reads origins such as `https://app.example.com`, with commas between them, for a server whose clients know it by the
    /// URL `own`. Names are compared as browsers send them: in lower case, in their ASCII form, and without a default port.
    ///
    /// # Errors
    /// [`OriginsError`] for the first part that is wrong.
    pub fn parse(text: &str, own: &str) -> Result<Self, OriginsError> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let own = Url::parse(own).map_err(|_| OriginsError::Malformed(own.to_owned()))?;
        Ok(Self {
            own: own.origin().ascii_serialization(),
            is_secure: own.scheme() == "https",
            allowed: parts.map(origin).collect::<Result<_, _>>()?,
        })
    }

    /// The origins of front ends elsewhere.
    #[must_use]
    pub fn allowed(&self) -> &[String] {
        &self.allowed
    }

    /// Whether a page of this origin, as its browser names it, is one of ours.
    #[must_use]
    pub fn contains(&self, origin: &str) -> bool {
        self.own == origin || self.allowed.iter().any(|allowed| allowed == origin)
    }

    /// Whether clients reach us over TLS. Otherwise we are on their own machine.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.is_secure
    }
}

/// Whether the host is this machine, by a name or an address that nobody else can have.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn origin(text: &str) -> Result<String, OriginsError> {
    let refused = |error: fn(String) -> OriginsError| Err(error(text.to_owned()));
    if text.contains('*') || text == "null" {
        return refused(OriginsError::Wildcard);
    }
    let Some((scheme, rest)) = text.split_once("://") else { return refused(OriginsError::NoScheme) };
    if !["http", "https"].contains(&scheme) {
        return refused(OriginsError::NoScheme);
    }
    if rest.contains(['/', '?', '#', '@', '\\']) {
        return refused(OriginsError::TooMuch);
    }
    match Url::parse(text) {
        Ok(url) if scheme == "http" && !is_loopback(&url) => refused(OriginsError::Insecure),
        Ok(url) => Ok(url.origin().ascii_serialization()),
        Err(_) => refused(OriginsError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins(text: &str) -> Result<Origins, OriginsError> {
        Origins::parse(text, "https://auth.example.com/accounts")
    }

    #[test]
    fn named_origins_and_the_servers_own_are_ours() {
        let origins =
            origins("https://app.example.com, http://localhost:5173,https://[::1]:8443,http://127.0.0.1")
                .unwrap();
        for ours in [
            "https://auth.example.com",
            "https://app.example.com",
            "http://localhost:5173",
            "https://[::1]:8443",
            "http://127.0.0.1",
        ] {
            assert!(origins.contains(ours), "{ours}");
        }
        for foreign in [
            "",
            "null",
            "http://app.example.com",
            "https://app.example.com:8443",
            "https://app.example.com.evil.example",
            "https://app.example.com/",
            "https://evil.example",
            "http://localhost",
        ] {
            assert!(!origins.contains(foreign), "{foreign}");
        }
        assert!(origins.is_secure());
    }

    #[test]
    fn names_are_compared_as_browsers_send_them() {
        let origins = origins("https://APP.Example.com:443,https://ферма.example").unwrap();
        assert_eq!(origins.allowed(), ["https://app.example.com", "https://xn--80ajvps.example"]);
    }

    #[test]
    fn nobody_is_allowed_by_default() {
        assert!(origins("").unwrap().allowed().is_empty());
    }

    #[test]
    fn the_usual_mistakes_are_told_apart() {
        type Mistake = fn(String) -> OriginsError;
        for (text, mistake) in [
            ("*", OriginsError::Wildcard as Mistake),
            ("https://*.example.com", OriginsError::Wildcard),
            ("null", OriginsError::Wildcard),
            ("app.example.com", OriginsError::NoScheme),
            ("localhost:5173", OriginsError::NoScheme),
            ("file:///index.html", OriginsError::NoScheme),
            ("https://app.example.com/", OriginsError::TooMuch),
            ("https://app.example.com/login", OriginsError::TooMuch),
            ("https://ada@app.example.com", OriginsError::TooMuch),
            ("http://app.example.com", OriginsError::Insecure),
            ("https://", OriginsError::Malformed),
            ("https://app.example.com:port", OriginsError::Malformed),
        ] {
            let error = origins(&format!("https://good.example,{text}")).unwrap_err();
            assert_eq!(error, mistake(text.to_owned()));
        }
    }
}
