//! LATENCY: spikes above `latency-monitor-threshold`, by event.

use std::collections::BTreeMap;
use std::collections::VecDeque;

use parking_lot::Mutex;

/// Spikes kept for an event: what LATENCY HISTORY shows at most.
const SPIKES_MAX: usize = 160;

/// One event's spikes.
#[derive(Debug, Clone, Default)]
pub struct Event {
    /// The longest ever, in milliseconds.
    pub longest_ms: u64,
    /// (Unix seconds, milliseconds), oldest first; one for each second, its longest.
    pub spikes: VecDeque<(i64, u64)>,
}

/// All events.
#[derive(Default)]
pub struct Latency(Mutex<BTreeMap<&'static str, Event>>);

impl Latency {
    /// Records a spike of an event, if it is as long as the threshold (0: never).
    pub fn record(&self, event: &'static str, at: i64, ms: u64, threshold_ms: u64) {
        if threshold_ms == 0 || ms < threshold_ms {
            return;
        }
        let mut events = self.0.lock();
        let event = events.entry(event).or_default();
        event.longest_ms = event.longest_ms.max(ms);
        match event.spikes.back_mut() {
            Some(last) if last.0 == at => last.1 = last.1.max(ms),
            _ => event.spikes.push_back((at, ms)),
        }
        if event.spikes.len() > SPIKES_MAX {
            event.spikes.pop_front();
        }
    }

    /// All events with their spikes.
    pub fn events(&self) -> Vec<(&'static str, Event)> {
        self.0.lock().iter().map(|(name, event)| (*name, event.clone())).collect()
    }

    /// One event's spikes.
    pub fn event(&self, name: &[u8]) -> Option<Event> {
        let events = self.0.lock();
        events.iter().find(|(known, _)| known.as_bytes() == name).map(|(_, event)| event.clone())
    }

    /// Forgets these events, all if none is named; returns how many there were.
    pub fn reset(&self, names: &[&[u8]]) -> usize {
        let mut events = self.0.lock();
        let before = events.len();
        events.retain(|known, _| !names.is_empty() && !names.contains(&known.as_bytes()));
        before - events.len()
    }
}
