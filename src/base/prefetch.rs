//! Asking for memory before it is needed.
//!
//! With millions of keys nearly every lookup misses the caches twice: for its bucket and for its entry. A turn knows all
//! its keys before it runs the first command, so it asks for all of these lines at once and waits for them together.

#![expect(unsafe_code, reason = "the instruction takes an address; it reads nothing and cannot fault")]

/// A cache line's size.
pub const LINE: usize = 64;

/// Look-ups that go their steps together: enough misses under way to keep the memory busy, few enough that their lines are
/// still near when they are needed.
pub const AHEAD: usize = 16;

/// Asks for the cache line at an address, which need not be valid.
#[inline(always)]
pub fn line(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch of any address has no effect but on the caches; SSE is part of the architecture.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(address.cast());
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above.
    unsafe {
        std::arch::asm!("prfm pldl1keep, [{0}]", in(reg) address, options(nostack, preserves_flags, readonly));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = address;
}

/// Asks for so many bytes from an address on, whole lines of them.
#[inline(always)]
pub fn bytes(address: *const u8, count: usize) {
    (0..count.div_ceil(LINE)).for_each(|nth| line(address.wrapping_add(nth * LINE)));
}

/// Asks for the line of an address and its neighbours: for what a guess says lies near there.
#[inline(always)]
pub fn around(address: *const u8) {
    bytes(address.wrapping_sub(LINE), 3 * LINE);
}
