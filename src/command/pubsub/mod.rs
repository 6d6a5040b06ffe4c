//! Publish and subscribe: messages to whoever listens now, kept nowhere.

mod publish;
#[expect(clippy::module_inception, reason = "a file has the name of its verb, and this one is PUBSUB")]
mod pubsub;
mod subscribe;
mod unsubscribe;

use crate::exec::Spec;

pub(super) const FAMILY: &[&[Spec]] = &[publish::SPECS, pubsub::SPECS, subscribe::SPECS, unsubscribe::SPECS];
