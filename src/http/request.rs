//! What the headers of a request say, and where it comes from.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Once};

use axum::extract::ConnectInfo;
use axum::http::{Extensions, HeaderMap, HeaderValue, Request, header};
use tower_http::request_id::{self, MakeRequestId};
use uuid::Uuid;

use crate::domain::{Caller, DeviceInfo, RequestId, TrustedProxies};
use crate::graphql::RequestContext;

/// The longest `Authorization` header that is looked at, in bytes.
const MAX_AUTHORIZATION: usize = 4096;

/// A random id for a request that brings none.
#[derive(Clone, Copy)]
pub(super) struct NewRequestId;

impl MakeRequestId for NewRequestId {
    fn make_request_id<B>(&mut self, _: &Request<B>) -> Option<request_id::RequestId> {
        HeaderValue::from_str(&Uuid::new_v4().to_string()).ok().map(request_id::RequestId::new)
    }
}

/// The id of the request: that of the proxy in front, or our own.
pub(super) fn id(extensions: &Extensions) -> Option<RequestId> {
    let header = extensions.get::<request_id::RequestId>()?.header_value();
    RequestId::new(header.to_str().ok()?)
}

/// What the schema needs to know of a request.
pub(super) fn context(headers: &HeaderMap, extensions: &Extensions, proxies: &Proxies) -> RequestContext {
    let user_agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    RequestContext {
        access_token: bearer(headers).map(str::to_owned),
        refresh_cookie: None,
        caller: Caller {
            device: DeviceInfo::new(user_agent, proxies.client(headers, extensions)),
            request_id: id(extensions),
        },
        new_device_token: Arc::default(),
    }
}

/// The proxies in front, and whether the operator has been told of one that they may have forgotten.
pub(super) struct Proxies {
    trusted: TrustedProxies,
    told: Once,
}

impl Proxies {
    pub(super) fn new(trusted: TrustedProxies) -> Self {
        Self { trusted, told: Once::new() }
    }

    /// The address of the client. `None` where there is no connection.
    fn client(&self, headers: &HeaderMap, extensions: &Extensions) -> Option<IpAddr> {
        let ConnectInfo(peer) = extensions.get::<ConnectInfo<SocketAddr>>()?;
        let forwarded_for = headers.get_all("x-forwarded-for");
        if forwarded_for.iter().next().is_some() && is_near(peer.ip()) && !self.trusted.contains(peer.ip()) {
            self.warn_of(peer.ip());
        }
        // A header that is no text is kept in its place, as one that cannot be read.
        let forwarded_for = forwarded_for.iter().map(|value| value.to_str().unwrap_or("?"));
        Some(self.trusted.client(peer.ip(), forwarded_for))
    }

    /// Tells the operator, once, of what looks like a proxy that was forgotten: all its clients would share the budget of
    /// one.
    fn warn_of(&self, peer: IpAddr) {
        self.told.call_once(|| {
            tracing::warn!(
                %peer,
                "requests come with X-Forwarded-For from an address that is not in AUTHQL_TRUSTED_PROXIES: if that is \
                 your proxy, name it there, or all its clients are taken for one"
            );
        });
    }
}

/// Whether an address is one of the same machine or network, as that of a proxy usually is and that of a client seldom.
fn is_near(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_loopback() || address.is_private() || address.is_link_local(),
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
    }
}

/// The bearer token (RFC 6750 2.1), from the header and from nowhere else.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let text =
        headers.get(header::AUTHORIZATION)?.to_str().ok().filter(|text| text.len() <= MAX_AUTHORIZATION)?;
    let (scheme, token) = text.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_token_is_read_from_its_header() {
        let read = |text: &str| {
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, text.parse().unwrap())]);
            bearer(&headers).map(str::to_owned)
        };
        for text in ["Bearer abc", "bearer abc", "BEARER  abc"] {
            assert_eq!(read(text).as_deref(), Some("abc"), "{text}");
        }
        for text in ["", "Bearer", "Bearer ", "Basic abc", "abc", &format!("Bearer {}", "x".repeat(5000))] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
