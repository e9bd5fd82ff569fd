//! `SMTP_URL`: where the mail server is, and how the line to it is encrypted.

use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::{SMTP_PORT, SUBMISSION_PORT, SUBMISSIONS_PORT};
use percent_encoding::percent_decode_str;
use url::{Host, Url};

use super::SmtpSettingsError;

/// A mail server, as the operator has named it.
pub(super) struct MailServer {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: Tls,
    pub(super) credentials: Option<Credentials>,
}

impl MailServer {
    /// Reads `smtps://` (TLS from the start), `smtp://` (STARTTLS), `smtp://…?tls=opportunistic` (STARTTLS where the server has
    /// it) and `smtp://…?tls=none`.
    ///
    /// # Errors
    /// [`SmtpSettingsError::Url`].
    pub(super) fn parse(url: &str) -> Result<Self, SmtpSettingsError> {
        let url = Url::parse(url).map_err(|error| refused(&error.to_string()))?;
        let host = match url.host() {
            Some(Host::Domain(name)) => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            None => return Err(refused("it names no host")),
        };
        let tls = || TlsParameters::new(host.clone()).map_err(|error| refused(&error.to_string()));
        let (tls, port) = match (url.scheme(), url.query()) {
            ("smtps", None | Some("tls=required")) => (Tls::Wrapper(tls()?), SUBMISSIONS_PORT),
            ("smtp", None | Some("tls=required")) => (Tls::Required(tls()?), SUBMISSION_PORT),
            ("smtp", Some("tls=opportunistic")) => (Tls::Opportunistic(tls()?), SUBMISSION_PORT),
            ("smtp", Some("tls=none")) => (Tls::None, SMTP_PORT),
            ("smtps", Some(_)) => return Err(refused("with smtps, nothing follows the host")),
            ("smtp", Some(_)) => {
                return Err(refused(
                    "what follows the ? is neither tls=required, tls=opportunistic nor tls=none",
                ));
            }
            _ => return Err(refused("its scheme is neither smtp nor smtps")),
        };
        let credentials = match url.password() {
            None if url.username().is_empty() => None,
            password => {
                Some(Credentials::new(decoded(url.username())?, decoded(password.unwrap_or_default())?))
            }
        };
        Ok(Self { port: url.port().unwrap_or(port), host, tls, credentials })
    }
}

fn decoded(text: &str) -> Result<String, SmtpSettingsError> {
    let text = percent_decode_str(text).decode_utf8();
    text.map(Into::into).map_err(|_| refused("user or password are no UTF-8"))
}

fn refused(why: &str) -> SmtpSettingsError {
    SmtpSettingsError::Url(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_is_required_unless_the_operator_says_otherwise() {
        let read = |url: &str| MailServer::parse(url).map(|server| (server.port, server.tls));
        assert!(matches!(read("smtp://host"), Ok((587, Tls::Required(_)))));
        assert!(matches!(read("smtp://host?tls=required"), Ok((587, Tls::Required(_)))));
        assert!(matches!(read("smtp://host:25?tls=none"), Ok((25, Tls::None))));
        assert!(matches!(read("smtp://host?tls=opportunistic"), Ok((587, Tls::Opportunistic(_)))));
        assert!(matches!(read("smtps://u:p@host"), Ok((465, Tls::Wrapper(_)))));
        for wrong in
            ["http://host", "smtp://host?tls=bogus", "smtps://host?tls=none", "host:25", "smtp://", "smtp:"]
        {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn user_and_password_may_have_any_character() {
        let server = MailServer::parse("smtps://ada%40example.com:a%2Fb%3Ac%C3%A9@[::1]:2465").unwrap();
        let credentials = Credentials::new("ada@example.com".to_owned(), "a/b:cé".to_owned());
        assert_eq!((server.credentials, server.host.as_str(), server.port), (Some(credentials), "::1", 2465));
        assert_eq!(MailServer::parse("smtps://host").unwrap().credentials, None);
        assert!(MailServer::parse("smtps://ada:%FF@host").is_err());
    }
}
