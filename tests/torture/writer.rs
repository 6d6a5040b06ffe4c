//! A writer that writes one change at a time, and knows of each whether it was done, not done, or may have been.

use super::dice::Dice;
use super::model::{Change, Model};
use super::report::Outcome;
use super::support::client::Client;

/// Its keys begin with this.
pub(crate) const OWN: &str = "w";

#[derive(Default)]
pub(crate) struct Writer {
    /// What its keys hold if the last change was done.
    pub(crate) model: Model,
    /// The same if it was not; to be believed only while `unknown`.
    pub(crate) before: Model,
    /// There was no answer to the last change.
    pub(crate) unknown: bool,
    number: u64,
}

pub(crate) enum Done {
    Yes,
    Refused(String),
    /// The connection broke: it may have been done.
    Maybe,
}

impl Writer {
    pub(crate) fn write(&mut self, client: &mut Client, dice: &mut Dice) -> Done {
        self.number += 1;
        let change = Change::throw(dice, &self.number.to_string());
        match client.try_call(&change.words(OWN)) {
            Ok(reply) => match reply.error() {
                None => {
                    // What came before it and was done is as safe as it is.
                    self.unknown = false;
                    self.model.apply(&change);
                    Done::Yes
                }
                Some(error) => Done::Refused(error.to_owned()),
            },
            Err(_) => {
                self.before = self.model.clone();
                self.model.apply(&change);
                self.unknown = true;
                Done::Maybe
            }
        }
    }

    /// Holds what was read of all its keys against what may be there. From then on that is the truth.
    pub(crate) fn compare(&mut self, found: Model, when: &str, outcome: &mut Outcome) {
        if found != self.model && !(self.unknown && found == self.before) {
            outcome.fail(format!("{when} something else is there: {}", self.model.difference(&found)));
        }
        self.unknown = false;
        self.model = found;
    }
}
