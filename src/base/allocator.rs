//! Where memory comes from: mimalloc, asked so that a block is no larger than it has to be.
//!
//! mimalloc has a function for blocks that are aligned, and one for others. The first asks for more than is wanted and cuts
//! the aligned part out, unless it happens to find a block at hand: 96 bytes at a multiple of 8 take 112. But blocks of the
//! second begin at multiples of 16 anyway (of 8, if smaller than that), and that is all that nearly everything needs.

#![expect(
    unsafe_code,
    reason = "an allocator is unsafe to be and to ask; every pointer is the caller's, under the caller's promise"
)]

use std::alloc::{GlobalAlloc, Layout};

use libmimalloc_sys as mi;

/// The program's allocator.
pub struct Allocator;

/// What every block is aligned to that has as many bytes; a smaller one to a word, and to all that a word can hold.
const ALIGN: usize = 16;

/// Whether blocks of so many bytes are aligned as wanted without being asked to be.
#[inline]
fn is_aligned_anyway(bytes: usize, align: usize) -> bool {
    align <= ALIGN && align <= bytes
}

// SAFETY: all blocks are mimalloc's own, which knows of each block how large it is and who has it; and each is aligned as
// the layout wants, by being asked for or as said above.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let (bytes, align) = (layout.size(), layout.align());
        // SAFETY: neither has a precondition but that the alignment is a power of two, which that of a layout is.
        unsafe {
            match is_aligned_anyway(bytes, align) {
                true => mi::mi_malloc(bytes).cast(),
                false => mi::mi_malloc_aligned(bytes, align).cast(),
            }
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let (bytes, align) = (layout.size(), layout.align());
        // SAFETY: as above.
        unsafe {
            match is_aligned_anyway(bytes, align) {
                true => mi::mi_zalloc(bytes).cast(),
                false => mi::mi_zalloc_aligned(bytes, align).cast(),
            }
        }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, _: Layout) {
        // SAFETY: the caller has it from one of the others, and gives it up.
        unsafe { mi::mi_free(block.cast()) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        // SAFETY: the caller has it from one of the others. It stays where it is only if it is large enough, and what it
        // was aligned to it still is.
        unsafe {
            match is_aligned_anyway(bytes, layout.align()) {
                true => mi::mi_realloc(block.cast(), bytes).cast(),
                false => mi::mi_realloc_aligned(block.cast(), bytes, layout.align()).cast(),
            }
        }
    }
}

/// Gives what is free back to the operating system: pages that no thread uses, and those of this thread.
///
/// mimalloc keeps free pages for a while and gives them back when somebody allocates pages again. After a mass deletion nobody
/// does, so they would stay resident for as long as the server only reads. Asking costs the time of a system call for each
/// piece, some milliseconds for 100 MB, so it is done on a thread that serves nobody.
pub fn give_back() {
    // SAFETY: the function has no precondition.
    unsafe { mi::mi_collect(true) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two blocks in a row, since the first of its kind may happen to lie well.
    fn blocks(bytes: usize, align: usize, mut look: impl FnMut(*mut u8)) {
        let layout = Layout::from_size_align(bytes, align).unwrap();
        // SAFETY: the layout is not of size zero, and each block is given back once.
        unsafe {
            let two = [Allocator.alloc(layout), Allocator.alloc_zeroed(layout)];
            two.into_iter().for_each(&mut look);
            two.into_iter().for_each(|block| Allocator.dealloc(block, layout));
        }
    }

    #[test]
    fn blocks_are_aligned_and_large_enough() {
        for bytes in (1..300).chain([1000, 4096, 5000, 70_000, 3_000_000]) {
            for align in [1, 2, 4, 8, 16, 32, 64, 4096] {
                blocks(bytes, align, |block| {
                    assert!(block.addr().is_multiple_of(align), "{bytes} bytes at {align}");
                    // SAFETY: it is a block of the allocator's.
                    assert!(unsafe { mi::mi_usable_size(block.cast()) } >= bytes);
                });
            }
        }
    }

    #[test]
    fn a_block_is_no_larger_than_it_has_to_be() {
        for bytes in [96, 112, 160, 1280] {
            blocks(bytes, 8, |block| {
                // SAFETY: it is a block of the allocator's.
                assert_eq!(unsafe { mi::mi_usable_size(block.cast()) }, bytes);
            });
        }
    }

    #[test]
    fn what_is_in_a_block_moves_with_it() {
        for align in [1, 8, 64] {
            let layout = Layout::from_size_align(100, align).unwrap();
            // SAFETY: as above; what is read was written before.
            unsafe {
                let block = Allocator.alloc(layout);
                block.write_bytes(7, 100);
                let larger = Allocator.realloc(block, layout, 100_000);
                assert!(larger.addr().is_multiple_of(align));
                assert!(std::slice::from_raw_parts(larger, 100).iter().all(|&byte| byte == 7));
                let layout = Layout::from_size_align(100_000, align).unwrap();
                let smaller = Allocator.realloc(larger, layout, 3);
                assert!(smaller.addr().is_multiple_of(align));
                assert_eq!(std::slice::from_raw_parts(smaller, 3), [7; 3]);
                Allocator.dealloc(smaller, Layout::from_size_align(3, align).unwrap());
            }
        }
    }
}
