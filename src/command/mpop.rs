//! What LMPOP and ZMPOP have in common, and BLMPOP and BZMPOP, which wait: their words, and that of several keys the first that
//! has anything gives all.
//!
//! ```text
//! numkeys key [key ...] end [COUNT count]         behind the timeout, where one waits
//! ```

use crate::base::number;
use crate::base::refusal::Refusal;
use crate::exec::wait;
use crate::exec::{Args, Effect, KeySpec, Spec, flag, key};
use crate::resp::reply::Reply;
use crate::table::{Locked, Slot};
use crate::value::Kind;

/// What all rows say alike.
pub(super) const POPS: Spec = Spec {
    arity: -4,
    keys: &[KeySpec::counted(1, KEY)],
    flags: flag::WRITE | flag::MOVABLEKEYS,
    since: "7.0.0",
    ..Spec::DEFAULT
};

/// What the rows of those say alike that wait.
pub(super) const POPS_OR_WAITS: Spec = Spec {
    arity: -5,
    keys: &[KeySpec::counted(2, KEY)],
    flags: flag::WRITE | flag::BLOCKING | flag::MOVABLEKEYS,
    ..POPS
};

const KEY: u32 = key::RW | key::ACCESS | key::DELETE;

/// An end of a value of some type.
pub(super) trait End: Copy {
    /// The type.
    const KIND: Kind;

    /// Reads the word that names it.
    fn read(args: &mut Args<'_>) -> Result<Self, Refusal>;

    /// Pops up to so many from the value at a key, and answers with the key and them. None, and no answer, where there is no
    /// value.
    fn take(self, most: usize, slot: &mut Slot<'_>, reply: &mut Reply<'_>)
    -> Result<Option<Effect>, Refusal>;
}

/// Pops from the first key that has any. The answer without such a key is the null array.
pub(super) fn pop<E: End>(
    args: &mut Args<'_>,
    locked: &mut Locked<'_>,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let words = Words::<E>::read(args)?;
    let popped = wait::first(&words.keys, |key| words.take(args.db(), key, locked, reply))?;
    Ok(popped.unwrap_or_else(|| {
        reply.null_array();
        Effect::None
    }))
}

/// The same, but waits if there is none.
pub(super) fn pop_or_wait<E: End>(
    args: &mut Args<'_>,
    locked: &mut Locked<'_>,
    reply: &mut Reply<'_>,
) -> Result<Effect, Refusal> {
    let timeout = args.word()?;
    let words = Words::<E>::read(args)?;
    let deadline = wait::deadline(timeout, args.now())?;
    let popped = wait::first(&words.keys, |key| words.take(args.db(), key, locked, reply))?;
    Ok(popped.unwrap_or_else(|| wait::for_any(E::KIND, serve::<E>, &words.keys, deadline)))
}

fn serve<E: End>(
    args: &mut Args<'_>,
    key: &[u8],
    locked: &mut Locked<'_>,
    reply: &mut Reply<'_>,
) -> Result<Option<Effect>, Refusal> {
    args.word()?;
    Words::<E>::read(args)?.take(args.db(), key, locked, reply)
}

/// What to pop, and from which keys.
struct Words<'a, E> {
    keys: Vec<&'a [u8]>,
    end: E,
    count: usize,
}

impl<'a, E: End> Words<'a, E> {
    /// All that stands from the number of keys on.
    fn read(args: &mut Args<'a>) -> Result<Self, Refusal> {
        let number = positive(args.word()?, "ERR numkeys should be greater than 0")?;
        if number >= args.left() {
            return Err(Refusal::Syntax);
        }
        let keys = (0..number).map(|_| args.word()).collect::<Result<Vec<_>, _>>()?;
        let end = E::read(args)?;
        let count = match args.accept("COUNT") {
            true => positive(args.word()?, "ERR count should be greater than 0")?,
            false => 1,
        };
        args.end()?;
        Ok(Words { keys, end, count })
    }

    fn take(
        &self,
        db: usize,
        key: &[u8],
        locked: &mut Locked<'_>,
        reply: &mut Reply<'_>,
    ) -> Result<Option<Effect>, Refusal> {
        self.end.take(self.count, &mut locked.slot(db, key), reply)
    }
}

fn positive(word: &[u8], refusal: &'static str) -> Result<usize, Refusal> {
    number::parse_i64(word)
        .and_then(|number| usize::try_from(number).ok())
        .filter(|&number| number > 0)
        .ok_or(Refusal::line(refusal))
}
