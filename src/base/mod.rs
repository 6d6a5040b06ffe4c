//! The ground floor: what every other part needs and what needs none of them.

pub mod allocator;
pub mod background;
pub mod bytes;
pub mod clock;
pub mod date;
pub mod event;
pub mod glob;
pub mod hash;
pub mod huge_pages;
pub mod limits;
pub mod longdouble;
pub mod number;
pub mod prefetch;
pub mod random;
pub mod refusal;
pub mod secret;
pub mod sync;
pub mod version;
