//! authql: a self-hosted authentication server with a GraphQL API.
//!
//! # The map
//!
//! Folders are layers, and each imports only what stands below it:
//!
//! ```text
//! main → app → { http → graphql → services, worker, adapters } → ports → domain
//! ```
//!
//! * [`domain`] values and rules, without I/O;
//! * [`ports`] what the application needs from the world, as small traits with contracts;
//! * [`services`] the use cases;
//! * [`graphql`] and [`http`] how clients reach them; [`worker`] what goes on without a client;
//! * [`adapters`] Postgres, Redis, SMTP, argon2, JWT and their in-process twins;
//! * [`app`] puts it all together; [`config`] and [`telemetry`] are plumbing.

pub mod domain;
pub mod ports;

pub mod services;

pub mod graphql;
pub mod http;
pub mod worker;

pub mod adapters;

pub mod app;
pub mod config;
pub mod telemetry;
