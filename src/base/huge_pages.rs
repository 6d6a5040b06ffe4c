//! Huge pages where memory is full, small ones elsewhere.
//!
//! Huge pages (2 MiB) make every look-up faster, since the processor knows more addresses by heart, and mimalloc asks for
//! them in all that it reserves. But then the first byte that is touched within 2 MiB takes all of them, and the allocator
//! keeps threads and sizes apart: an empty server occupied 10 MB for the 1.5 that it used. So the heap begins with small
//! pages, and a stretch of 2 MiB that has become full is made one huge page, by a thread that serves nobody. That costs no
//! memory, but whoever needs a new page meanwhile waits for the copying of 2 MiB: for a millisecond, and for several on a
//! machine that is busy. So it is done a few stretches at a time, and only when memory is calm: while it grows fast, new pages
//! are needed all the time.
//!
//! Once [`COPIED_MAX`] bytes are full, the kernel is left to give huge pages at the first touch from there on: what that
//! takes too early is a small part by then, and copying all of a large heap would be waste.
//!
//! Everything here is advice to the kernel. Where it is not taken, memory stays in small pages and nothing else is different.

#![expect(
    unsafe_code,
    reason = "madvise and mincore; no advice that is given changes a byte of the memory it is given for"
)]

use std::ops::Range;
use std::time::Duration;

/// Bytes of a huge page.
const HUGE: usize = 2 << 20;
/// Bytes of a small page. Where pages are larger than that, huge ones are not 2 MiB either.
const SMALL: usize = 4096;
/// Small pages in a huge one.
const PAGES: usize = HUGE / SMALL;
/// From so many pages on a stretch is full.
const FULL: usize = PAGES - PAGES / 16;
/// After so many bytes the kernel goes on.
const COPIED_MAX: usize = 256 << 20;
/// Stretches that are made huge one after the other, and the time between two of them, in which others get their pages.
const AT_ONCE: usize = 4;
const PAUSE: Duration = Duration::from_millis(5);

/// Watches over one reserved range of memory.
pub struct HugePages {
    /// Address of the first stretch.
    start: usize,
    /// Whether a stretch is huge. Those that the kernel was left to are not in it any more.
    huge: Vec<bool>,
    is_left_to_kernel: bool,
}

impl HugePages {
    /// Takes over a range that the allocator has reserved, and stops the kernel from giving huge pages in it unasked.
    /// `None` when that is not possible.
    #[must_use]
    pub fn over(reserved: Range<usize>) -> Option<HugePages> {
        let start = reserved.start.next_multiple_of(HUGE);
        let stretches = reserved.end.saturating_sub(start) / HUGE;
        let pages = HugePages { start, huge: vec![false; stretches], is_left_to_kernel: false };
        (stretches > 0 && advice::page_size() == SMALL && advice::small(pages.range(0..stretches)))
            .then_some(pages)
    }

    /// Gives back what the huge pages that are there already have in them untouched: all pages of nothing but zeros, which
    /// is how they come from the kernel and how they read when they are gone. What is left of them is small pages.
    ///
    /// # Safety
    /// No other thread may be running: what it wrote into such a page in that moment would be lost.
    pub unsafe fn give_back_untouched(&self) {
        for nth in 0..self.huge.len() {
            let stretch = self.range(nth..nth + 1);
            if advice::resident(stretch.clone()) == PAGES {
                // SAFETY: all of the stretch is in memory, and the caller vouches that nobody else is running.
                stretch
                    .step_by(SMALL)
                    .for_each(|page| unsafe { advice::give_back_if_zero(page..page + SMALL) });
            }
        }
    }

    /// Makes huge some of what has become full, if memory is calm. True when some is left and may soon be made huge.
    pub fn tend(&mut self, is_calm: bool) -> bool {
        self.tend_up_to(COPIED_MAX, is_calm)
    }

    fn tend_up_to(&mut self, copied_max: usize, is_calm: bool) -> bool {
        let (mut full, mut made, mut is_left, mut touched) = (0, 0, false, 0);
        for nth in 0..self.huge.len() {
            let stretch = self.range(nth..nth + 1);
            let resident = advice::resident(stretch.clone());
            // What the allocator has given back in part consists of small pages again.
            self.huge[nth] &= resident == PAGES;
            if resident > 0 {
                touched = nth + 1;
            }
            if resident < FULL {
                continue;
            }
            full += HUGE;
            if !self.huge[nth] && is_calm && made < AT_ONCE {
                if made > 0 {
                    std::thread::sleep(PAUSE);
                }
                self.huge[nth] = advice::huge(stretch);
                made += usize::from(self.huge[nth]);
            }
            is_left |= !self.huge[nth];
        }
        if full >= copied_max && !self.is_left_to_kernel {
            advice::huge_from_now_on(self.range(touched..self.huge.len()));
            self.huge.truncate(touched);
            self.is_left_to_kernel = true;
        }
        if self.is_left_to_kernel && !is_left {
            advice::huge_from_now_on(self.range(0..self.huge.len()));
            self.huge = Vec::new();
        }
        // Where nothing could be made huge, as when the kernel finds no room, it is no use to ask again at once.
        is_left && (made > 0 || !is_calm)
    }

    fn range(&self, stretches: Range<usize>) -> Range<usize> {
        self.start + stretches.start * HUGE..self.start + stretches.end * HUGE
    }
}

#[cfg(target_os = "linux")]
mod advice {
    use std::ops::Range;

    use super::PAGES;

    pub(super) fn page_size() -> usize {
        // SAFETY: asks for a number.
        usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(0)
    }

    /// No huge pages at the first touch. True if the kernel agrees.
    pub(super) fn small(range: Range<usize>) -> bool {
        advise(range, libc::MADV_NOHUGEPAGE) == 0
    }

    pub(super) fn huge_from_now_on(range: Range<usize>) {
        advise(range, libc::MADV_HUGEPAGE);
    }

    /// Makes a stretch one huge page. False when it should be tried again.
    pub(super) fn huge(stretch: Range<usize>) -> bool {
        // Linux before 6.1 does not know how to do it at once; there the first line alone has it done some time later.
        advise(stretch.clone(), libc::MADV_HUGEPAGE);
        advise(stretch, libc::MADV_COLLAPSE) == 0
            || std::io::Error::last_os_error().raw_os_error() == Some(libc::EINVAL)
    }

    fn advise(range: Range<usize>, advice: libc::c_int) -> libc::c_int {
        // SAFETY: none of the advice that is passed here changes what memory holds or whether it is mapped.
        unsafe { libc::madvise(range.start as *mut libc::c_void, range.len(), advice) }
    }

    /// # Safety
    /// The page is mapped for reading, and nobody writes to it meanwhile.
    pub(super) unsafe fn give_back_if_zero(page: Range<usize>) {
        // SAFETY: as above. Volatile, because it is not for the compiler to know what the allocator's memory holds.
        let is_zero =
            page.clone().step_by(8).all(|word| unsafe { std::ptr::read_volatile(word as *const u64) } == 0);
        if is_zero {
            // SAFETY: the page reads as zeros before and after.
            unsafe { libc::madvise(page.start as *mut libc::c_void, page.len(), libc::MADV_DONTNEED) };
        }
    }

    /// How many small pages of one stretch are in memory; 0 where the kernel does not say.
    pub(super) fn resident(stretch: Range<usize>) -> usize {
        let mut seen = [0u8; PAGES];
        // SAFETY: one byte is written for each page of the stretch, and that is how many there are.
        let failed =
            unsafe { libc::mincore(stretch.start as *mut libc::c_void, stretch.len(), seen.as_mut_ptr()) }
                != 0;
        if failed { 0 } else { seen.iter().filter(|&&page| page & 1 != 0).count() }
    }
}

/// Elsewhere nothing is known of pages, and nothing is done.
#[cfg(not(target_os = "linux"))]
mod advice {
    use std::ops::Range;

    pub(super) fn page_size() -> usize {
        0
    }

    pub(super) fn small(_: Range<usize>) -> bool {
        false
    }

    pub(super) fn huge_from_now_on(_: Range<usize>) {}

    pub(super) fn huge(_: Range<usize>) -> bool {
        false
    }

    pub(super) unsafe fn give_back_if_zero(_: Range<usize>) {}

    pub(super) fn resident(_: Range<usize>) -> usize {
        0
    }
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of four stretches and one more for where they begin, and who watches over them.
    fn watched() -> (Vec<u8>, HugePages) {
        let memory: Vec<u8> = Vec::with_capacity(5 * HUGE);
        let from = memory.as_ptr() as usize;
        let pages = HugePages::over(from..from + memory.capacity()).unwrap();
        // Another test may have left pages there: none shall be in memory before it is touched.
        let stretches = pages.range(0..pages.huge.len());
        // SAFETY: nothing was written there yet.
        let failed = unsafe {
            libc::madvise(stretches.start as *mut libc::c_void, stretches.len(), libc::MADV_DONTNEED)
        };
        assert_eq!(failed, 0);
        (memory, pages)
    }

    #[test]
    fn a_full_stretch_becomes_huge_and_one_that_is_touched_does_not() {
        let (mut memory, mut pages) = watched();
        assert_eq!(pages.huge.len(), 4);
        let before = pages.start - memory.as_ptr() as usize;
        // The first stretch and a page of the second.
        memory.resize(before + HUGE + SMALL, 7);
        assert!(advice::resident(pages.range(1..2)) <= 2, "the kernel gave more than was touched");
        pages.tend(true);
        assert_eq!(pages.huge[1..], [false, false, false]);
        assert_eq!(advice::resident(pages.range(0..1)), PAGES);
        assert!(advice::resident(pages.range(1..2)) <= 2);
        memory.resize(before + 2 * HUGE, 7);
        assert!(pages.tend(false), "it grows: the second has to wait");
        assert!(!pages.huge[1]);
        pages.tend(true);
        assert_eq!(pages.huge[2..], [false, false]);
        assert_eq!(pages.huge[0], pages.huge[1]);
        assert!(memory.iter().all(|&byte| byte == 7));
    }

    #[test]
    fn after_enough_was_copied_the_kernel_is_left_to_it() {
        let (mut memory, mut pages) = watched();
        memory.resize(5 * HUGE, 7);
        // Some kernels make nothing huge, and then nothing is copied; others may have to be asked again.
        let may_copy = advice::huge(pages.range(0..1));
        let mut all_are_huge = || {
            pages.tend_up_to(5 * HUGE, true);
            pages.huge.len() == 4 && pages.huge.iter().all(|&is_huge| is_huge)
        };
        let is_copied = (0..100).any(|_| all_are_huge());
        assert!(is_copied || !may_copy);
        assert!(!pages.is_left_to_kernel);
        pages.tend_up_to(4 * HUGE, true);
        assert!(pages.is_left_to_kernel);
        assert_eq!(pages.huge.is_empty(), is_copied);
        assert!(memory.iter().all(|&byte| byte == 7));
    }

    #[test]
    fn what_grows_fast_is_left_to_the_kernel_from_where_it_is() {
        let (mut memory, mut pages) = watched();
        let before = pages.start - memory.as_ptr() as usize;
        memory.resize(before + 2 * HUGE, 7);
        assert!(pages.tend_up_to(2 * HUGE, false));
        assert!(pages.is_left_to_kernel);
        assert_eq!(pages.huge, [false, false], "these are still to be made huge, when there is time");
        memory.resize(before + 3 * HUGE, 7);
        assert!(pages.tend_up_to(2 * HUGE, false));
        assert_eq!(pages.huge, [false, false]);
    }

    #[test]
    fn untouched_parts_are_given_back_and_nothing_else_is() {
        let (mut memory, pages) = watched();
        memory.resize(5 * HUGE, 0);
        let before = pages.start - memory.as_ptr() as usize;
        memory[before + 3 * SMALL - 1] = 7;
        memory[before + 9 * SMALL] = 8;
        // SAFETY: nobody else knows the memory.
        unsafe { pages.give_back_untouched() };
        assert_eq!(advice::resident(pages.range(0..1)), 2);
        assert_eq!((memory[before + 3 * SMALL - 1], memory[before + 9 * SMALL]), (7, 8));
        assert_eq!(memory.iter().filter(|&&byte| byte != 0).count(), 2);
    }
}
