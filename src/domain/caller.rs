//! Whom a use case is carried out for, as far as its request shows.

use super::DeviceInfo;

/// The longest request id that is kept, in characters.
const MAX_REQUEST_ID: usize = 64;

/// The other end of a request.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    /// What it is, and where. Nothing of an operator's command line.
    pub device: DeviceInfo,
    /// What names the request in the log and in answers about faults.
    pub request_id: Option<RequestId>,
}

/// The name of a request: ours, or that of the proxy in front.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(String);

impl RequestId {
    /// Keeps the first 64 printable ASCII characters. `None` when there are none.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let kept: String = text.chars().filter(char::is_ascii_graphic).take(MAX_REQUEST_ID).collect();
        (!kept.is_empty()).then_some(Self(kept))
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_is_kept_printable_and_short() {
        let id = RequestId::new(&format!("a b\t\r\nc\u{7f}ж{}", "x".repeat(100))).unwrap();
        assert_eq!(id.as_str(), format!("abc{}", "x".repeat(61)));
        assert_eq!(RequestId::new(" \t"), None);
    }
}
