//! All commands, by name. The type lives here; the rows come from above and are passed in at the start.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::spec::{Run, Spec, acl, flag};
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
}

/// The table of commands.
pub struct Registry {
    commands: Vec<Command>,
    by_name: HashMap<Box<[u8]>, usize, BuildHasherDefault<NameHasher>>,
    total: usize,
}

/// Hashes names. The keys are the server's own, so nobody can choose them to collide and a multiplication will do.
#[derive(Default)]
struct NameHasher(u64);

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0u8; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 = (self.0 ^ u64::from_le_bytes(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Names longer than this are not a command's.
const NAME_MAX: usize = 32;

impl Registry {
    /// A registry of these families' rows. `renames` are pairs of a name and what it shall be called, empty to have no
    /// such command; unknown names in it are handed back.
    pub fn new(families: &[&[&[Spec]]], renames: &[(String, String)]) -> Result<Self, String> {
        let mut registry = Registry { commands: Vec::new(), by_name: HashMap::default(), total: 0 };
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

    #[inline]
    fn lookup(&self, name: &[u8]) -> Option<&Command> {
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
