//! Looking up any object by its global id.

use async_graphql::{Context, ID, Interface, Result};

use super::context::services;
use super::error::unexpected;
use super::events::SecurityEvent;
use super::global_id::GlobalId;
use super::sessions::Session;
use super::types::User;
use crate::domain::Viewer;

/// An object with a global identifier.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "Unique across all types; opaque to clients."))]
pub(super) enum Node {
    User(User),
    Session(Session),
    SecurityEvent(SecurityEvent),
}

/// The object of this id, if it is there for the viewer to see.
pub(super) async fn find(ctx: &Context<'_>, viewer: Viewer, id: &ID) -> Result<Option<Node>> {
    let services = services(ctx);
    let found =
        match GlobalId::read(id) {
            Some(GlobalId::User(id)) if id == viewer.user_id => services
                .accounts
                .find(viewer)
                .await
                .map(|user| user.map(|user| Node::User(User::new(user, viewer.session_id)))),
            Some(GlobalId::Session(id)) => services.sessions.find(viewer.user_id, id).await.map(|session| {
                session.map(|session| Node::Session(Session::new(&session, viewer.session_id)))
            }),
            Some(GlobalId::SecurityEvent(id)) => services
                .events
                .find(viewer.user_id, id)
                .await
                .map(|event| event.map(|event| Node::SecurityEvent((&event).into()))),
            Some(GlobalId::User(_)) | None => Ok(None),
        };
    found.map_err(|error| unexpected(ctx, &error))
}
