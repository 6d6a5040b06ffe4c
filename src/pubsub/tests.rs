//! The registry against a naive model, and what several threads may rely on.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;
use proptest::prelude::*;

use super::{Kind, PubSub, message};
use crate::base::glob;

/// A listener that keeps what it is told.
#[derive(Default)]
struct Ear(Mutex<Vec<Vec<u8>>>);

fn tell(ear: &Arc<Ear>, frame: &[u8]) {
    ear.0.lock().push(frame.to_vec());
}

const KINDS: [Kind; 3] = [Kind::Channel, Kind::Pattern, Kind::Shard];
/// Few enough that steps meet at the same ones.
const NAMES: [&[u8]; 5] = [b"a", b"ab", b"a*", b"*", b"[^a]*"];

#[derive(Debug, Clone)]
enum Step {
    Add(usize, usize, u64),
    Remove(usize, usize, u64),
    Publish(usize),
    PublishToShard(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let name = 0..NAMES.len();
    prop_oneof![
        (0..3usize, name.clone(), 0..3u64).prop_map(|(kind, name, id)| Step::Add(kind, name, id)),
        (0..3usize, name.clone(), 0..3u64).prop_map(|(kind, name, id)| Step::Remove(kind, name, id)),
        name.clone().prop_map(Step::Publish),
        name.prop_map(Step::PublishToShard),
    ]
}

proptest! {
    #[test]
    fn a_message_reaches_whoever_a_list_of_subscriptions_says(steps in prop::collection::vec(step(), 0..60)) {
        let pubsub = PubSub::default();
        let ears: Vec<Arc<Ear>> = (0..3).map(|_| Arc::default()).collect();
        let mut model: BTreeSet<(usize, usize, u64)> = BTreeSet::new();
        for step in steps {
            match step {
                Step::Add(kind, name, id) => {
                    let given = pubsub.add(KINDS[kind], NAMES[name], id, &ears[id as usize]);
                    prop_assert_eq!(&*given, NAMES[name]);
                    model.insert((kind, name, id));
                }
                Step::Remove(kind, name, id) => {
                    pubsub.remove(KINDS[kind], NAMES[name], id);
                    model.remove(&(kind, name, id));
                }
                Step::Publish(to) | Step::PublishToShard(to) => {
                    let sharded = matches!(step, Step::PublishToShard(_));
                    let mut expected: Vec<(u64, Vec<u8>)> = Vec::new();
                    for &(kind, name, id) in &model {
                        let channel = NAMES[to];
                        match KINDS[kind] {
                            Kind::Channel if !sharded && name == to => {
                                expected.push((id, message(b"message", None, channel, b"x")));
                            }
                            Kind::Shard if sharded && name == to => {
                                expected.push((id, message(b"smessage", None, channel, b"x")));
                            }
                            Kind::Pattern if !sharded && glob::matches(NAMES[name], channel, false) => {
                                expected.push((id, message(b"pmessage", Some(NAMES[name]), channel, b"x")));
                            }
                            _ => {}
                        }
                    }
                    let told = if sharded {
                        pubsub.publish_to_shard(NAMES[to], b"x", tell)
                    } else {
                        pubsub.publish(NAMES[to], b"x", tell)
                    };
                    prop_assert_eq!(told, expected.len());
                    let mut got: Vec<(u64, Vec<u8>)> = Vec::new();
                    for (id, ear) in ears.iter().enumerate() {
                        got.extend(ear.0.lock().drain(..).map(|frame| (id as u64, frame)));
                    }
                    expected.sort();
                    got.sort();
                    prop_assert_eq!(got, expected);
                }
            }
            for (kind, &of) in KINDS.iter().enumerate() {
                let names: BTreeSet<&[u8]> =
                    model.iter().filter(|entry| entry.0 == kind).map(|entry| NAMES[entry.1]).collect();
                prop_assert_eq!(pubsub.count(of), names.len());
                let listed = pubsub.names(of, None);
                prop_assert!(listed.iter().map(|name| &**name).eq(names));
                for (name, text) in NAMES.iter().enumerate() {
                    let count = model.iter().filter(|entry| entry.0 == kind && entry.1 == name).count();
                    prop_assert_eq!(pubsub.listeners(of, text), count);
                }
            }
        }
    }
}

#[test]
fn all_who_listen_to_a_channel_get_its_messages_in_the_same_order() {
    let pubsub = PubSub::default();
    let ears: Vec<Arc<Ear>> = (0..3).map(|_| Arc::default()).collect();
    pubsub.add(Kind::Channel, b"c", 0, &ears[0]);
    pubsub.add(Kind::Channel, b"c", 1, &ears[1]);
    pubsub.add(Kind::Pattern, b"c*", 2, &ears[2]);
    std::thread::scope(|scope| {
        for publisher in 0..4u8 {
            let pubsub = &pubsub;
            scope.spawn(move || {
                for number in 0..200u8 {
                    pubsub.publish(b"c", &[publisher, number], tell);
                }
            });
        }
    });
    // The payload stands in front of the last line end.
    let payloads = |ear: &Ear| -> Vec<[u8; 2]> {
        ear.0.lock().iter().map(|frame| [frame[frame.len() - 4], frame[frame.len() - 3]]).collect()
    };
    let first = payloads(&ears[0]);
    assert_eq!(first.len(), 800);
    assert!(payloads(&ears[1]) == first && payloads(&ears[2]) == first);
    for publisher in 0..4 {
        let own = first.iter().filter(|payload| payload[0] == publisher).map(|payload| payload[1]);
        assert!(own.eq(0..200));
    }
}

#[test]
fn frames_are_pushes() {
    assert_eq!(message(b"message", None, b"c", b"hi"), b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n");
    let with_pattern = message(b"pmessage", Some(b"c*"), b"c", b"");
    assert_eq!(with_pattern, b">4\r\n$8\r\npmessage\r\n$2\r\nc*\r\n$1\r\nc\r\n$0\r\n\r\n");
}
