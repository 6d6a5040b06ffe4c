//! Fuzzes `bodies::codec`.
#![no_main]

#[allow(dead_code, reason = "the other bodies are other targets'")]
#[path = "../../tests/torture/bodies.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::codec(bytes));
