//! How often what may be tried.

use std::num::NonZeroU32;
use std::time::Duration;

use super::{ConfigError, Environment};
use crate::domain::{LimitPolicy, Rate};

/// How often a session may be refreshed: twenty times a second in the long run, and by many tabs at once. No setting, because
/// no honest client comes near it.
const REFRESHES_A_MINUTE: u32 = 1200;

pub(super) fn limits(environment: &Environment) -> Result<LimitPolicy, ConfigError> {
    // Read in any case: a slip in one of them is told also while they are off.
    let network = environment.rate("AUTHQL_RATE_LIMIT_NETWORK", "60/1m")?;
    let account = environment.rate("AUTHQL_RATE_LIMIT_ACCOUNT", "6/10m")?;
    if !environment.switch("AUTHQL_RATE_LIMITS", true)? {
        return Ok(LimitPolicy { network: None, account: None, session: None });
    }
    let refreshes = NonZeroU32::new(REFRESHES_A_MINUTE);
    let session = refreshes.map(|count| Rate { count, period: Duration::from_mins(1) });
    Ok(LimitPolicy { network, account, session })
}
