//! What the server calls itself.

/// The server's own version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The version of Redis that clients are told, by which they choose what they use.
pub const REDIS_VERSION: &str = "7.4.0";
