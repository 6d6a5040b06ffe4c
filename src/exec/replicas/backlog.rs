//! The end of the stream that replicas are fed, kept so that one that was away for a moment gets what it missed and need not
//! begin anew.

use std::collections::VecDeque;

/// The last bytes of the stream, up to a size.
#[derive(Default)]
pub(super) struct Backlog {
    bytes: VecDeque<u8>,
}

impl Backlog {
    /// Adds to the end; what goes beyond `size` bytes is forgotten at the beginning.
    pub(super) fn push(&mut self, bytes: &[u8], size: usize) {
        let kept = bytes.get(bytes.len().saturating_sub(size)..).unwrap_or_default();
        let over = (self.bytes.len() + kept.len()).saturating_sub(size);
        self.bytes.drain(..over.min(self.bytes.len()));
        self.bytes.extend(kept);
    }

    /// How many bytes there are.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The last `count` bytes, in two parts; none when there are not so many.
    pub(super) fn last(&self, count: usize) -> Option<Vec<u8>> {
        let start = self.bytes.len().checked_sub(count)?;
        Some(self.bytes.range(start..).copied().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_bytes_are_kept_up_to_the_size() {
        let mut backlog = Backlog::default();
        let mut all = Vec::new();
        for round in 0..200u8 {
            let piece = vec![round; usize::from(round % 23)];
            all.extend_from_slice(&piece);
            backlog.push(&piece, 50);
            let kept = all.len().min(50);
            assert_eq!(backlog.len(), kept);
            assert_eq!(backlog.last(kept).as_deref(), Some(&all[all.len() - kept..]));
            assert_eq!(backlog.last(kept + 1), None);
        }
        backlog.push(&all, 7);
        assert_eq!(backlog.last(7).as_deref(), Some(&all[all.len() - 7..]));
        assert_eq!(backlog.len(), 7);
    }
}
