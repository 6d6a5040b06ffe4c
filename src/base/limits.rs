//! Limits of the server: each with its unit and its reason.

/// The longest string value in bytes, as Redis has it.
pub const STRING_BYTES_MAX: usize = 512 * 1024 * 1024;
