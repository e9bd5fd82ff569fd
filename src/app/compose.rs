//! Which adapter stands behind each port. The modes of authql differ here, and nowhere else.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};

use super::servers::{Accelerators, LazyFolder, accelerators, database, mailer};
use super::{StartError, passwords};
use crate::adapters::device_tokens::HmacDeviceTokens;
use crate::adapters::embedded::PrivatePostgres;
use crate::adapters::jwt::JwtTokens;
use crate::adapters::local::{DataFolder, LocalRateLimiter};
use crate::adapters::mail_tokens::HmacMailTokens;
use crate::adapters::postgres::Database;
use crate::adapters::pseudonyms::HmacPseudonyms;
use crate::adapters::root_secret::{RootSecret, RootSecrets};
use crate::adapters::seal::AesGcmVault;
use crate::config::{Config, ConfigError};
use crate::domain::TrustedProxies;
use crate::graphql::{self, TrustedDocuments};
use crate::http::{self, HttpRules};
use crate::ports::{Clock, Mailbox, RateLimiter, Sessions, Tokens, Users};
use crate::services::{
    Access, Accounts, Authentication, Endings, EventHistory, Failures, Health, Housekeeping, Limits,
    MailboxPage, Mailing, Mirror, OwnSessions, PasswordRecovery, Passwords, Posting, Refusals, Registration,
    Services, Sightings, Signing,
};

/// What was put together.
pub(super) struct Composition {
    pub(super) router: http::Router,
    pub(super) trusted_proxies: TrustedProxies,
    pub(super) mailing: Arc<Mailing>,
    pub(super) mirror: Arc<Mirror>,
    pub(super) sightings: Arc<Sightings>,
    pub(super) refusals: Arc<Refusals>,
    pub(super) failures: Arc<Failures>,
    pub(super) signing: Arc<Signing>,
    pub(super) housekeeping: Housekeeping,
    pub(super) database: Database,
    pub(super) embedded: Option<PrivatePostgres>,
    pub(super) data: Option<DataFolder>,
}

pub(super) async fn compose(config: Config, clock: Arc<dyn Clock>) -> Result<Composition, StartError> {
    let trusted_documents = config.explore.trusted_documents.as_deref().map(trusted_documents).transpose()?;
    let data = LazyFolder::at(&config.stores.data_dir);
    let secrets = match &config.secret {
        Some(secret) => secrets(secret, &config),
        None => secrets(&data.get()?.secret()?, &config),
    };
    let (mailer, mailbox) = mailer(&config, &data)?;
    let Accelerators { revocations, queue, limiter } = accelerators(&config.stores, &clock)?;
    let tokens = tokens(&config, &secrets)?;
    let choice = passwords::choice(&config.passwords)?;

    let (database, embedded) = database(&config.stores, &data).await?;
    passwords::require_peppers(&config.passwords, &database).await?;
    let signing = Arc::new(signing(&config, &secrets, &clock, &database, tokens.clone())?);
    signing.keep().await?;
    let (users, sessions) = (Arc::new(database.users()), Arc::new(database.sessions()));
    let mail_tokens = Arc::new(HmacMailTokens::new(&secrets));
    let ttl = config.sessions.blacklist_ttl();
    let refusals = Arc::new(Refusals::new(clock.clone(), Arc::new(database.security_events())));
    let limits = Arc::new(limits(&config, &secrets, &clock, &database, limiter, &refusals));
    let mirror = Arc::new(Mirror::new(revocations, sessions.clone(), clock.clone(), ttl));
    let endings = Arc::new(Endings {
        clock: clock.clone(),
        rows: Arc::new(database.session_endings()),
        mirror: mirror.clone(),
    });
    let shared = Shared {
        clock: clock.clone(),
        passwords: Arc::new(Passwords {
            choice,
            users: users.clone(),
            limits: limits.clone(),
            refusals: refusals.clone(),
        }),
        limits,
        refusals,
        users,
        posting: Arc::new(Posting { queue: queue.clone(), tokens: mail_tokens.clone() }),
        tokens,
        mirror,
        endings,
        sightings: Arc::new(Sightings::new(sessions.clone())),
        sessions,
        signing,
    };
    let services = Arc::new(services(&config, &database, &shared, mailbox));
    let failures = Arc::clone(&services.failures);
    let housekeeping = Housekeeping {
        clock: clock.clone(),
        archive: Arc::new(database.archive()),
        endings: shared.endings.clone(),
        recipients: config.mail.retention,
        events: config.event_retention,
    };
    let mailing = Arc::new(Mailing {
        clock,
        queue,
        outbox: Arc::new(database.outbox()),
        mailer,
        tokens: mail_tokens,
        retry: config.mail.retry,
    });
    let schema = graphql::schema(services.clone(), config.explore.introspection);
    let trusted_proxies = config.http.trusted_proxies;
    let http_rules = HttpRules {
        trusted_proxies: trusted_proxies.clone(),
        origins: config.http.origins,
        has_graphiql: config.explore.graphiql,
        has_schema: config.explore.introspection,
        trusted_documents,
    };
    let router = http::router(schema, services, http_rules);
    Ok(Composition {
        router,
        trusted_proxies,
        mailing,
        mirror: shared.mirror,
        sightings: shared.sightings,
        refusals: shared.refusals,
        failures,
        signing: shared.signing,
        housekeeping,
        database,
        embedded,
        data: data.into_inner(),
    })
}

/// What several use cases share.
struct Shared {
    clock: Arc<dyn Clock>,
    users: Arc<dyn Users>,
    passwords: Arc<Passwords>,
    limits: Arc<Limits>,
    refusals: Arc<Refusals>,
    sessions: Arc<dyn Sessions>,
    mirror: Arc<Mirror>,
    endings: Arc<Endings>,
    sightings: Arc<Sightings>,
    tokens: Arc<dyn Tokens>,
    posting: Arc<Posting>,
    signing: Arc<Signing>,
}

/// The use cases.
fn services(
    config: &Config,
    database: &Database,
    shared: &Shared,
    mailbox: Option<Arc<dyn Mailbox>>,
) -> Services {
    let recovery = Arc::new(database.recovery());
    let reveals_taken = config.accounts.reveals_taken;
    Services {
        registration: Registration {
            clock: shared.clock.clone(),
            users: shared.users.clone(),
            passwords: shared.passwords.clone(),
            recovery: recovery.clone(),
            posting: shared.posting.clone(),
            limits: shared.limits.clone(),
            reveals_taken,
        },
        recovery: PasswordRecovery {
            clock: shared.clock.clone(),
            recovery,
            passwords: shared.passwords.clone(),
            posting: shared.posting.clone(),
            limits: shared.limits.clone(),
            endings: shared.endings.clone(),
        },
        authentication: Authentication {
            clock: shared.clock.clone(),
            passwords: shared.passwords.clone(),
            sessions: shared.sessions.clone(),
            mirror: shared.mirror.clone(),
            endings: shared.endings.clone(),
            sightings: shared.sightings.clone(),
            tokens: shared.tokens.clone(),
            posting: shared.posting.clone(),
            limits: shared.limits.clone(),
            refusals: shared.refusals.clone(),
            lifetimes: config.sessions.lifetimes,
            rotation: config.sessions.rotation,
            cap: config.sessions.cap,
        },
        access: Access {
            clock: shared.clock.clone(),
            tokens: shared.tokens.clone(),
            mirror: shared.mirror.clone(),
            sessions: shared.sessions.clone(),
            sightings: shared.sightings.clone(),
            limits: shared.limits.clone(),
        },
        accounts: Accounts {
            clock: shared.clock.clone(),
            users: shared.users.clone(),
            changes: Arc::new(database.account_changes()),
            passwords: shared.passwords.clone(),
            posting: shared.posting.clone(),
            limits: shared.limits.clone(),
            endings: shared.endings.clone(),
            reveals_taken,
        },
        sessions: OwnSessions {
            clock: shared.clock.clone(),
            sessions: shared.sessions.clone(),
            directory: Arc::new(database.session_directory()),
            mirror: shared.mirror.clone(),
            limits: shared.limits.clone(),
        },
        events: EventHistory { events: Arc::new(database.security_events()) },
        limits: shared.limits.clone(),
        signing: shared.signing.clone(),
        health: Health(Arc::new(database.clone())),
        failures: Arc::default(),
        mailbox: mailbox.map(MailboxPage),
    }
}

/// The documents that may be run, from the manifest of the front ends.
fn trusted_documents(file: &Path) -> Result<TrustedDocuments, StartError> {
    let setting = |advice| ConfigError::new("AUTHQL_TRUSTED_DOCUMENTS", advice);
    let manifest = fs::read_to_string(file)
        .map_err(|error| setting(format!("names a file that cannot be read ({error}): check its path")))?;
    let documents = TrustedDocuments::parse(&manifest).map_err(|error| {
        setting(format!(
            "names a file that {error}: let your build write it anew from the documents of the front ends"
        ))
    })?;
    Ok(documents)
}

/// The keys in the database of `DATABASE_URL`, for an operator.
pub(super) async fn keys(config: &Config, clock: Arc<dyn Clock>) -> Result<Signing, StartError> {
    let (Some(url), Some(secret)) = (&config.stores.database_url, &config.secret) else {
        return Err(StartError::NoKeys);
    };
    let database = Database::at(url.expose_secret())?;
    database.migrate().await?;
    let secrets = secrets(secret, config);
    signing(config, &secrets, &clock, &database, tokens(config, &secrets)?)
}

fn secrets(present: &SecretString, config: &Config) -> RootSecrets {
    RootSecrets {
        present: RootSecret::new(present),
        previous: config.previous_secret.as_ref().map(RootSecret::new),
    }
}

fn tokens(config: &Config, secrets: &RootSecrets) -> Result<Arc<JwtTokens>, StartError> {
    let tokens = JwtTokens::new(&config.http.public_url, config.sessions.lifetimes.access, secrets)?;
    Ok(Arc::new(tokens))
}

fn limits(
    config: &Config,
    secrets: &RootSecrets,
    clock: &Arc<dyn Clock>,
    database: &Database,
    limiter: Arc<dyn RateLimiter>,
    refusals: &Arc<Refusals>,
) -> Limits {
    Limits {
        clock: clock.clone(),
        shared: limiter,
        own: Arc::new(LocalRateLimiter::new(clock.clone())),
        failures: Arc::new(database.password_failures()),
        networks: Arc::new(database.known_networks()),
        pseudonyms: Arc::new(HmacPseudonyms::new(&secrets.present)),
        devices: Arc::new(HmacDeviceTokens::new(secrets)),
        policy: config.limits,
        refusals: refusals.clone(),
    }
}

fn signing(
    config: &Config,
    secrets: &RootSecrets,
    clock: &Arc<dyn Clock>,
    database: &Database,
    tokens: Arc<JwtTokens>,
) -> Result<Signing, StartError> {
    let keys = Arc::new(database.signing_keys());
    let vault = Arc::new(AesGcmVault::new(secrets)?);
    Ok(Signing::new(clock.clone(), keys, vault, tokens, config.key_rotation))
}
