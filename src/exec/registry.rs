//! All commands, by name. The type lives here; the rows come from above and are passed in at the start.

use std::collections::HashMap;

use super::spec::{Begin, KeySpec, Run, Spec, acl, flag};
use crate::base::refusal::Refusal;
use crate::resp::request::Request;

/// A command as the server knows it: its row, and what was computed from it once.
pub struct Command {
    /// The row.
    pub spec: Spec,
    /// Place in the statistics.
    pub id: usize,
    /// `get`, or `config|get` for a subcommand.
    pub full_name: String,
    /// True when its name is the request's second word.
    pub is_subcommand: bool,
    /// See [`acl`]: the row's categories and those that follow from its flags.
    pub acl: u32,
    /// Its subcommands.
    pub subcommands: Vec<Command>,
    /// Where its key stands, for a command that runs on one key; 0 for all others.
    key_at: usize,
}

impl Command {
    /// Where the key stands of a command that runs on one key.
    #[inline]
    pub fn key_at(&self) -> Option<usize> {
        (self.key_at > 0).then_some(self.key_at)
    }

    /// The key of a command that runs on one key, none where the word is not there.
    #[inline]
    pub fn key_of<'r>(&self, request: &Request<'r>) -> Option<&'r [u8]> {
        request.get(self.key_at()?)
    }

    /// Where the key stands of a command that runs on one key: a refusal if it does not, or if the word is not there.
    #[inline]
    pub fn only_key(&self, request: &Request<'_>) -> Result<usize, Refusal> {
        if self.key_at > 0 && self.key_at < request.len() {
            return Ok(self.key_at);
        }
        Err(Refusal::Arity(self.full_name.clone().into()))
    }
}

/// The table of commands.
pub struct Registry {
    commands: Vec<Command>,
    by_name: HashMap<Box<[u8]>, usize>,
    short_names: ShortNames,
    total: usize,
}

/// Names longer than this are not a command's.
const NAME_MAX: usize = 32;

impl Registry {
    /// A registry of these families' rows. `renames` are pairs of a name and what it shall be called, empty to have no
    /// such command; unknown names in it are handed back.
    pub fn new(families: &[&[&[Spec]]], renames: &[(String, String)]) -> Result<Self, String> {
        let mut registry = Registry {
            commands: Vec::new(),
            by_name: HashMap::new(),
            short_names: ShortNames::default(),
            total: 0,
        };
        for spec in families.iter().flat_map(|family| family.iter()).flat_map(|rows| rows.iter()) {
            let command = registry.command(spec, None);
            registry.commands.push(command);
        }
        for (place, command) in registry.commands.iter().enumerate() {
            registry.by_name.insert(command.spec.name.as_bytes().into(), place);
        }
        for (from, to) in renames {
            let from = from.to_ascii_lowercase();
            let Some(place) = registry.by_name.remove(from.as_bytes()) else {
                return Err(format!("rename-command: there is no command '{from}'"));
            };
            if !to.is_empty() {
                let to = to.to_ascii_lowercase();
                if registry.by_name.insert(to.as_bytes().into(), place).is_some() {
                    return Err(format!("rename-command: there is already a command '{to}'"));
                }
            }
        }
        registry.short_names = ShortNames::new(&registry.by_name);
        Ok(registry)
    }

    fn command(&mut self, spec: &Spec, container: Option<&Spec>) -> Command {
        let id = self.total;
        self.total += 1;
        let full_name = match container {
            Some(container) => format!("{}|{}", container.name, spec.name),
            None => spec.name.to_owned(),
        };
        let subcommands = spec.subcommands.iter().map(|sub| self.command(sub, Some(spec))).collect();
        Command {
            spec: *spec,
            id,
            full_name,
            is_subcommand: container.is_some(),
            acl: categories(spec),
            subcommands,
            key_at: match (spec.run, spec.keys) {
                (Run::Read(_) | Run::Write(_), [KeySpec { begin: Begin::Index(at), .. }]) => *at,
                _ => 0,
            },
        }
    }

    /// Number of commands and subcommands: the size of the statistics.
    pub fn total(&self) -> usize {
        self.total
    }

    /// The commands, in the order of their families.
    pub fn commands(&self) -> &[Command] {
        &self.commands
    }

    /// The command or subcommand with this place in the statistics.
    pub fn by_id(&self, id: usize) -> Option<&Command> {
        let place = self.commands.partition_point(|command| command.id <= id).checked_sub(1)?;
        let command = &self.commands[place];
        if command.id == id {
            return Some(command);
        }
        command.subcommands.iter().find(|sub| sub.id == id)
    }

    /// The command with this name, in any case; `a|b` is a subcommand.
    pub fn by_name(&self, name: &[u8]) -> Option<&Command> {
        match memchr::memchr(b'|', name) {
            Some(bar) => {
                let command = self.lookup(&name[..bar])?;
                let sub = &name[bar + 1..];
                command.subcommands.iter().find(|known| sub.eq_ignore_ascii_case(known.spec.name.as_bytes()))
            }
            None => self.lookup(name),
        }
    }

    /// The command with this name if it has no subcommands and takes so many words, the name included.
    pub fn plain(&self, name: &[u8], words: usize) -> Option<&Command> {
        self.lookup(name).filter(|command| command.spec.subcommands.is_empty() && command.spec.accepts(words))
    }

    /// True when there is a command of this name.
    pub fn knows(&self, name: &[u8]) -> bool {
        self.lookup(name).is_some()
    }

    #[inline]
    fn lookup(&self, name: &[u8]) -> Option<&Command> {
        match self.short_names.find(name) {
            Some(place) => self.commands.get(place),
            None => self.lookup_long(name),
        }
    }

    fn lookup_long(&self, name: &[u8]) -> Option<&Command> {
        let mut lower = [0u8; NAME_MAX];
        let lower = lower.get_mut(..name.len())?;
        lower.copy_from_slice(name);
        lower.make_ascii_lowercase();
        self.by_name.get(&*lower).map(|&place| &self.commands[place])
    }

    /// The command that a request asks for, down to the subcommand, or the refusal that Redis gives: unknown name,
    /// unknown subcommand, wrong number of arguments.
    #[inline]
    pub fn resolve(&self, request: &Request<'_>) -> Result<&Command, Refusal> {
        let mut command = self.lookup(request.name()).ok_or_else(|| unknown_command(request))?;
        // COMMAND has subcommands and is a command by itself, too.
        if !command.spec.subcommands.is_empty() && request.len() > 1 {
            let word = request.arg(1);
            let sub = command
                .subcommands
                .iter()
                .find(|known| word.eq_ignore_ascii_case(known.spec.name.as_bytes()))
                .ok_or_else(|| unknown_subcommand(command, word))?;
            command = sub;
        }
        if !command.spec.accepts(request.len()) || matches!(command.spec.run, Run::Container) {
            return Err(Refusal::Arity(command.full_name.clone().into()));
        }
        Ok(command)
    }
}

/// The names of up to sixteen bytes, which the commands in a hurry have: each is two words and a length, and found by a
/// multiplication.
#[derive(Default)]
struct ShortNames {
    /// A power of two of them, at least half of them empty.
    slots: Vec<Option<(Name, u32)>>,
}

/// A name in lower case.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Name {
    /// Its first bytes and its last ones; they overlap where it is shorter than both.
    words: [u64; 2],
    bytes: u32,
}

impl ShortNames {
    fn new(by_name: &HashMap<Box<[u8]>, usize>) -> Self {
        let names: Vec<_> =
            by_name.iter().filter_map(|(name, &place)| Some((Name::new(name)?, place as u32))).collect();
        let mut slots = vec![None; (names.len() * 4).next_power_of_two()];
        for (name, place) in names {
            let mut at = name.slot(slots.len());
            while slots[at].is_some() {
                at = (at + 1) % slots.len();
            }
            slots[at] = Some((name, place));
        }
        ShortNames { slots }
    }

    /// The place of the command with this name in any case.
    #[inline]
    fn find(&self, name: &[u8]) -> Option<usize> {
        let name = Name::new(name)?;
        let mut at = name.slot(self.slots.len());
        loop {
            let (known, place) = (*self.slots.get(at)?)?;
            if known == name {
                return Some(place as usize);
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }
}

impl Name {
    #[inline]
    fn new(name: &[u8]) -> Option<Name> {
        let words = match (name.first_chunk::<8>(), name.last_chunk::<8>()) {
            (Some(first), Some(last)) if name.len() <= 16 => {
                [u64::from_le_bytes(*first), u64::from_le_bytes(*last)]
            }
            (Some(_), _) => return None,
            _ => match (name.first_chunk::<4>(), name.last_chunk::<4>()) {
                (Some(first), Some(last)) => {
                    [u64::from(u32::from_le_bytes(*first)), u64::from(u32::from_le_bytes(*last))]
                }
                _ => [name.iter().fold(0, |word, &byte| word << 8 | u64::from(byte)), 0],
            },
        };
        Some(Name { words: words.map(lower), bytes: name.len() as u32 })
    }

    #[inline]
    fn slot(self, slots: usize) -> usize {
        let mixed = (self.words[0] ^ self.words[1].rotate_left(29)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 32) as usize & slots.wrapping_sub(1)
    }
}

/// Eight bytes with their capital letters made small.
#[inline]
fn lower(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x80 * ONES;
    let low = word & !HIGH;
    // The top bit of a byte tells whether it is at least `A`, and whether it is more than `Z`.
    let from_a = low + (0x80 - u64::from(b'A')) * ONES;
    let after_z = low + (0x7f - u64::from(b'Z')) * ONES;
    let is_capital = from_a & !after_z & !word & HIGH;
    word | is_capital >> 2
}

/// The categories that a row names and those that follow from its flags.
fn categories(spec: &Spec) -> u32 {
    let mut bits = spec.acl;
    if spec.has(flag::WRITE) {
        bits |= acl::WRITE;
    }
    // Redis leaves scripting commands out of @read although they are flagged so.
    if spec.has(flag::READONLY) && bits & acl::SCRIPTING == 0 {
        bits |= acl::READ;
    }
    if spec.has(flag::ADMIN) {
        bits |= acl::ADMIN | acl::DANGEROUS;
    }
    if spec.has(flag::PUBSUB) {
        bits |= acl::PUBSUB;
    }
    if spec.has(flag::BLOCKING) {
        bits |= acl::BLOCKING;
    }
    bits | if spec.has(flag::FAST) { acl::FAST } else { acl::SLOW }
}

/// Bytes of a request that an error repeats.
const QUOTED_MAX: usize = 128;

fn unknown_command(request: &Request<'_>) -> Refusal {
    let mut text =
        format!("unknown command '{}', with args beginning with: ", quote(request.name(), QUOTED_MAX));
    let mut shown = 0;
    for word in request.iter().skip(1) {
        if shown >= QUOTED_MAX {
            break;
        }
        let word = quote(word, QUOTED_MAX - shown);
        shown += word.len() + 3;
        text.push_str(&format!("'{word}' "));
    }
    Refusal::err(text)
}

fn unknown_subcommand(container: &Command, word: &[u8]) -> Refusal {
    Refusal::err(format!(
        "unknown subcommand '{}'. Try {} HELP.",
        quote(word, QUOTED_MAX),
        container.spec.name.to_ascii_uppercase()
    ))
}

fn quote(word: &[u8], max: usize) -> String {
    String::from_utf8_lossy(&word[..word.len().min(max)]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn names_are_the_same_where_only_their_case_differs(
            name in prop::collection::vec(any::<u8>(), 0..20),
            other in prop::collection::vec(any::<u8>(), 0..20),
        ) {
            let (one, two) = (Name::new(&name), Name::new(&other));
            prop_assert_eq!(one.is_some(), name.len() <= 16);
            prop_assert!(one == Name::new(&name.to_ascii_uppercase()));
            let same = name.eq_ignore_ascii_case(&other);
            prop_assert_eq!(one.is_some() && one == two, same && name.len() <= 16);
        }

        #[test]
        fn a_byte_more_or_another_one_makes_another_name(
            name in prop::collection::vec(b'a'..=b'b', 1..15),
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
        ) {
            let mut longer = name.clone();
            longer.insert(at.index(name.len()), byte);
            prop_assert!(Name::new(&name) != Name::new(&longer));
            let mut other = name.clone();
            other[at.index(name.len())] = byte;
            prop_assert_eq!(Name::new(&name) == Name::new(&other), name.eq_ignore_ascii_case(&other));
        }
    }

    #[test]
    fn every_short_name_is_found_and_only_those() {
        let names: HashMap<Box<[u8]>, usize> =
            ["get", "set", "del", "mget", "lpush", "getrange", "sismember", "zrangebyscore", "x"]
                .iter()
                .enumerate()
                .map(|(place, name)| (name.as_bytes().into(), place))
                .collect();
        let short = ShortNames::new(&names);
        for (name, &place) in &names {
            assert_eq!(short.find(name), Some(place));
            assert_eq!(short.find(&name.to_ascii_uppercase()), Some(place));
        }
        for name in ["", "ge", "gets", "getrangee", "\0get", "get\0"] {
            assert_eq!(short.find(name.as_bytes()), None, "{name:?}");
        }
        assert_eq!(ShortNames::default().find(b"get"), None);
    }
}
