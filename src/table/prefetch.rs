//! Asking for memory before it is needed.
//!
//! With millions of keys nearly every lookup misses the caches twice: for its bucket and for its entry. A turn knows all
//! its keys before it runs the first command, so it asks for all of these lines at once and waits for them together.

#![expect(unsafe_code, reason = "the instruction takes an address; it reads nothing and cannot fault")]

/// A cache line's size.
pub(super) const LINE: usize = 64;

/// Asks for the cache line at an address, which need not be valid.
#[inline(always)]
pub(super) fn line(address: *const u8) {
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

/// Asks for a stripe, which takes two lines.
#[inline(always)]
pub(super) fn stripe(address: *const u8) {
    line(address);
    line(address.wrapping_add(LINE));
}

/// Asks for as much of the entry at an address as most have: a small value ends within its second line.
#[inline(always)]
pub(super) fn entry(address: *const u8) {
    line(address);
    line(address.wrapping_add(LINE));
}
