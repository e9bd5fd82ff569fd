//! The GraphQL schema: types and resolvers that translate between clients and the [services](crate::services).
//!
//! Three channels, never mixed: a refusal that a client acts on is a member of the mutation's union; a missing, expired or
//! revoked token is a top-level `UNAUTHENTICATED`; a fault of ours is a top-level error whose cause is only in the log.

mod context;
mod cookie;
mod device;
mod document;
mod error;
mod events;
mod global_id;
mod guard;
mod mutation;
mod node;
mod paging;
mod query;
mod scalar;
mod sessions;
mod trusted;
mod types;
mod validation;

use std::sync::Arc;

use async_graphql::{EmptySubscription, SDLExportOptions, Schema, SchemaBuilder};

pub use context::RequestContext;
pub use cookie::{CookieChange, RefreshCookie};
pub use device::NewDeviceToken;
pub use document::{DocumentError, admit};
pub use error::{RETRY_AFTER, SOON, sentence};
pub use mutation::Mutation;
pub use query::Query;
pub use trusted::{TrustedDocuments, TrustedDocumentsError, document_id, find_document};

use crate::services::Services;

/// The schema with everything that its resolvers need.
pub type AuthSchema = Schema<Query, Mutation, EmptySubscription>;

/// The deepest document that is answered. The introspection query of tools is 15 deep.
const MAX_DEPTH: usize = 20;
/// The most fields of a document that is answered. The introspection query of tools has about 220.
const MAX_COMPLEXITY: usize = 500;

/// The schema on top of `services`. Without `introspection` it can be neither asked for nor guessed from suggestions.
#[must_use]
pub fn schema(services: Arc<Services>, introspection: bool) -> AuthSchema {
    let builder = builder().data(services).limit_depth(MAX_DEPTH).limit_complexity(MAX_COMPLEXITY);
    if introspection {
        builder.finish()
    } else {
        builder.disable_introspection().disable_suggestions().finish()
    }
}

/// The schema in its definition language, sorted, as it is checked in as `schema.graphql`.
#[must_use]
pub fn sdl() -> String {
    let options = SDLExportOptions::new()
        .sorted_fields()
        .sorted_arguments()
        .sorted_enum_items()
        .include_specified_by()
        .prefer_single_line_descriptions()
        .use_space_ident()
        .indent_width(2);
    let text = builder().finish().sdl_with_options(options);
    format!("{}\n", text.trim())
}

fn builder() -> SchemaBuilder<Query, Mutation, EmptySubscription> {
    Schema::build(Query, Mutation::default(), EmptySubscription)
}
