//! The slow log: the last commands that took longer than `slowlog-log-slower-than`.

use std::collections::VecDeque;

use parking_lot::Mutex;

/// Words of a command that are kept.
const WORDS_MAX: usize = 32;
/// Bytes of a word that are kept.
const WORD_BYTES_MAX: usize = 128;

/// One slow command.
#[derive(Debug, Clone)]
pub struct Slow {
    /// Ever growing.
    pub id: u64,
    /// Unix time in seconds.
    pub at: i64,
    /// How long it ran, in microseconds.
    pub micros: u64,
    /// Its words, shortened.
    pub words: Vec<Vec<u8>>,
    /// Address of the client.
    pub address: String,
    /// Name of the client.
    pub name: String,
}

/// The slow log, newest first.
#[derive(Default)]
pub struct Slowlog(Mutex<State>);

#[derive(Default)]
struct State {
    next_id: u64,
    entries: VecDeque<Slow>,
}

impl Slowlog {
    /// Adds a command; the oldest beyond `keep` go.
    pub fn add<'w>(
        &self,
        at: i64,
        micros: u64,
        words: impl ExactSizeIterator<Item = &'w [u8]>,
        (address, name): (String, String),
        keep: usize,
    ) {
        let words = shorten(words);
        let mut state = self.0.lock();
        let id = state.next_id;
        state.next_id += 1;
        state.entries.push_front(Slow { id, at, micros, words, address, name });
        state.entries.truncate(keep);
    }

    /// The newest `count` entries.
    pub fn newest(&self, count: usize) -> Vec<Slow> {
        self.0.lock().entries.iter().take(count).cloned().collect()
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.0.lock().entries.len()
    }

    /// True when it has no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets all entries.
    pub fn clear(&self) {
        self.0.lock().entries.clear();
    }
}

/// The words as they are kept: the first ones, each cut, with notes in the form that Redis gives them.
fn shorten<'w>(words: impl ExactSizeIterator<Item = &'w [u8]>) -> Vec<Vec<u8>> {
    let count = words.len();
    let shown = if count > WORDS_MAX { WORDS_MAX - 1 } else { count };
    let mut kept: Vec<Vec<u8>> = words.take(shown).map(cut).collect();
    if count > shown {
        kept.push(format!("... ({} more arguments)", count - shown).into_bytes());
    }
    kept
}

fn cut(word: &[u8]) -> Vec<u8> {
    match word.get(..WORD_BYTES_MAX) {
        Some(start) if word.len() > WORD_BYTES_MAX => {
            let mut text = start.to_vec();
            text.extend_from_slice(format!("... ({} more bytes)", word.len() - WORD_BYTES_MAX).as_bytes());
            text
        }
        _ => word.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_commands_are_shortened_with_a_note() {
        let words: Vec<Vec<u8>> = (0..40).map(|_| vec![b'x'; 200]).collect();
        let kept = shorten(words.iter().map(Vec::as_slice));
        assert_eq!(kept.len(), 32);
        assert!(kept[0].ends_with(b"... (72 more bytes)"));
        assert_eq!(kept[31], b"... (9 more arguments)");
    }

    #[test]
    fn the_newest_come_first_and_the_oldest_go() {
        let log = Slowlog::default();
        for at in 0..5 {
            log.add(at, 1, [b"PING".as_slice()].into_iter(), Default::default(), 3);
        }
        let ids: Vec<u64> = log.newest(10).iter().map(|slow| slow.id).collect();
        assert_eq!(ids, [4, 3, 2]);
    }
}
