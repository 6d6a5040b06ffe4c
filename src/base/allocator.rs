//! What is asked of the allocator beyond memory: to give back what is free.
//!
//! mimalloc keeps free pages for a while and gives them back when somebody allocates pages again. After a mass deletion nobody
//! does, so they would stay resident for as long as the server only reads. Asking costs the time of a system call for each
//! piece, some milliseconds for 100 MB, so it is done on a thread that serves nobody.

#![expect(
    unsafe_code,
    reason = "a call into the allocator, which takes no pointer and may be made at any time"
)]

/// Gives what is free back to the operating system: pages that no thread uses, and those of this thread.
pub fn give_back() {
    // SAFETY: the function has no precondition.
    unsafe { libmimalloc_sys::mi_collect(true) }
}
