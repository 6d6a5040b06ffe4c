//! The table of who caches what, without a socket: who is told of a change, who is not, and that no change slips through
//! between a read and its being remembered.

use super::*;

/// What clients were told: number and message.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<(u64, String)>>>);

impl Told {
    fn tracker(&self, id: u64, broadcasts: bool, no_loop: bool) -> Tracker {
        let told = self.clone();
        let text = |key: &[u8]| String::from_utf8_lossy(key).into_owned();
        let tell = move |stale: Stale<'_>| {
            let message = match stale {
                Stale::Key(key) => text(key),
                Stale::Keys(keys) => keys.iter().map(|key| text(key)).collect::<Vec<_>>().join(" "),
                Stale::All => "all".to_owned(),
            };
            told.0.lock().push((id, message));
        };
        Tracker { id, broadcasts, no_loop, tell: Box::new(tell) }
    }

    fn take(&self) -> Vec<(u64, String)> {
        std::mem::take(&mut self.0.lock())
    }
}

fn told(messages: &[(u64, &str)]) -> Vec<(u64, String)> {
    messages.iter().map(|(id, text)| (*id, (*text).to_owned())).collect()
}

fn hash(key: &str) -> u64 {
    // Spread over all bits, as the table's hash is.
    key.bytes().fold(7, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

fn reads(tracking: &Tracking, id: u64, key: &str) {
    tracking.remember(key.as_bytes(), hash(key), id);
}

fn changes(tracking: &Tracking, author: u64, key: &str) {
    tracking.changed(key.as_bytes(), hash(key), author);
}

#[test]
fn a_reader_is_told_once_of_a_change() {
    let (tracking, heard) = (Tracking::default(), Told::default());
    for id in 1..=3 {
        tracking.start(heard.tracker(id, false, false), &[], || {});
    }
    (1..=3).for_each(|id| reads(&tracking, id, "k"));
    reads(&tracking, 2, "k");
    reads(&tracking, 2, "other");
    assert_eq!(tracking.totals(), Totals { clients: 3, keys: 2, items: 4, prefixes: 0 });
    changes(&tracking, 9, "k");
    changes(&tracking, 9, "k");
    assert_eq!(heard.take(), told(&[(1, "k"), (2, "k"), (3, "k")]));
    assert_eq!(tracking.totals(), Totals { clients: 3, keys: 1, items: 1, prefixes: 0 });
}

#[test]
fn a_client_hears_of_its_own_changes_unless_it_does_not_want_to() {
    let (tracking, heard) = (Tracking::default(), Told::default());
    tracking.start(heard.tracker(1, false, true), &[], || {});
    tracking.start(heard.tracker(2, false, false), &[], || {});
    for author in [1, 2] {
        reads(&tracking, 1, "k");
        reads(&tracking, 2, "k");
        changes(&tracking, author, "k");
    }
    assert_eq!(heard.take(), told(&[(2, "k"), (1, "k"), (2, "k")]));
}

#[test]
fn a_broadcast_names_all_that_changed_since_the_last_one() {
    let (tracking, heard) = (Tracking::default(), Told::default());
    tracking.start(heard.tracker(1, true, false), &[b"a", b"b"], || {});
    tracking.start(heard.tracker(2, true, true), &[b""], || {});
    assert_eq!(tracking.totals().prefixes, 3);
    for (author, key) in [(9, "a2"), (2, "c"), (9, "a1"), (9, "b"), (9, "a2"), (2, "a1")] {
        changes(&tracking, author, key);
    }
    assert!(heard.take().is_empty());
    tracking.broadcast();
    // Who changed a key last decides whether somebody is spared.
    assert_eq!(heard.take(), told(&[(2, "a2 b"), (1, "a1 a2"), (1, "b")]));
    tracking.broadcast();
    assert!(heard.take().is_empty());
    tracking.stop(1, || {});
    assert_eq!(tracking.totals().prefixes, 1);
    changes(&tracking, 2, "a");
    tracking.broadcast();
    assert!(heard.take().is_empty());
}

#[test]
fn options_given_anew_hold_for_the_prefixes_there_were() {
    let (tracking, heard) = (Tracking::default(), Told::default());
    tracking.start(heard.tracker(1, true, false), &[b"a"], || {});
    tracking.start(heard.tracker(1, true, true), &[b"b"], || {});
    changes(&tracking, 1, "a");
    changes(&tracking, 1, "b");
    tracking.broadcast();
    assert!(heard.take().is_empty());
    changes(&tracking, 2, "a");
    tracking.broadcast();
    assert_eq!(heard.take(), told(&[(1, "a")]));
}

#[test]
fn what_was_read_before_broadcasting_is_not_told_twice() {
    let (tracking, heard) = (Tracking::default(), Told::default());
    tracking.start(heard.tracker(2, false, false), &[], || {});
    tracking.start(heard.tracker(1, false, false), &[], || {});
    reads(&tracking, 1, "k");
    tracking.stop(1, || {});
    tracking.start(heard.tracker(1, true, false), &[b""], || {});
    changes(&tracking, 9, "k");
    tracking.broadcast();
    assert_eq!(heard.take(), told(&[(1, "k")]));
}

#[test]
fn a_flush_tells_everybody_to_forget_everything() {
    let (tracking, heard) = (Tracking::default(), Told::default());
    tracking.start(heard.tracker(1, false, true), &[], || {});
    tracking.start(heard.tracker(2, true, false), &[b"x"], || {});
    reads(&tracking, 1, "k");
    tracking.flushed();
    let mut messages = heard.take();
    messages.sort();
    assert_eq!(messages, told(&[(1, "all"), (2, "all")]));
    assert_eq!(tracking.totals().items, 0);
}

#[test]
fn no_more_keys_are_remembered_than_are_allowed_and_whoever_read_the_others_is_told() {
    let (tracking, heard) = (Tracking::default(), Told::default());
    tracking.start(heard.tracker(1, false, false), &[], || {});
    tracking.set_max_keys(100);
    let keys: Vec<String> = (0..250).map(|n| format!("key:{n}")).collect();
    keys.iter().for_each(|key| reads(&tracking, 1, key));
    assert_eq!((tracking.totals().keys, heard.take().len()), (100, 150));
    tracking.set_max_keys(1);
    assert_eq!((tracking.totals().keys, heard.take().len()), (1, 99));
    tracking.set_max_keys(0);
    keys.iter().for_each(|key| reads(&tracking, 1, key));
    assert_eq!((tracking.totals().keys, heard.take().len()), (250, 0));
}

#[test]
fn readers_that_are_gone_make_room_for_those_that_come() {
    let tracking = Tracking::default();
    let heard = Told::default();
    tracking.start(heard.tracker(1, false, false), &[], || {});
    reads(&tracking, 1, "k");
    for id in 2..10_000 {
        tracking.start(heard.tracker(id, false, false), &[], || {});
        reads(&tracking, id, "k");
        tracking.stop(id, || {});
    }
    assert!(tracking.totals().items < 20, "{:?}", tracking.totals());
    changes(&tracking, 0, "k");
    assert_eq!(heard.take(), told(&[(1, "k")]));
    assert_eq!(tracking.totals().items, 0);
}

#[test]
fn changes_are_told_only_from_the_first_to_the_last_who_tracks() {
    let (tracking, heard) = (Tracking::default(), Told::default());
    let switched = std::cell::RefCell::new(Vec::new());
    let start =
        |id| tracking.start(heard.tracker(id, false, false), &[], || switched.borrow_mut().push(true));
    let stop = |id| tracking.stop(id, || switched.borrow_mut().push(false));
    start(1);
    start(2);
    reads(&tracking, 1, "k");
    stop(1);
    stop(1);
    assert_eq!(*switched.borrow(), [true, true]);
    stop(2);
    assert_eq!(*switched.borrow(), [true, true, false]);
    assert_eq!(tracking.totals(), Totals::default());
}
