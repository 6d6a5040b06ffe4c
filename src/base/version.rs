//! What the server calls itself.

/// The server's own version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The version of Redis that clients are told, by which they choose what they use.
pub const REDIS_VERSION: &str = "7.4.0";

/// [`REDIS_VERSION`] as a number: a byte each for major, minor and patch.
pub const REDIS_VERSION_NUMBER: u32 = 0x0007_0400;
