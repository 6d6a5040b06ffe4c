//! The argument tree of COMMAND DOCS, read from a row's `syntax`.
//!
//! ```text
//! key value [NX | XX] [EX seconds | KEEPTTL] field value [field value ...]
//!
//! lower case      a value; its name tells its type, or `name:type` does where Redis has the name for several
//! UPPER CASE      a token: stands alone, or before the values that follow it
//! [ … ]           may be left out          < a | b >   one of these
//! x [x ...]       x once or more           [x ...]     x any number of times
//! ```
//!
//! Redis keeps this tree in a file for each command; here the one line that people read is also what redis-cli gets for
//! its hints. A syntax is part of the program, so the parser does not report mistakes: the tests over the table do.

use crate::exec::spec::{Begin, Find, KeySpec, key};

/// One argument of a command, with those inside it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Argument {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// The word that stands before it, or, for [`Kind::PureToken`], is it.
    pub(super) token: Option<String>,
    pub(super) optional: bool,
    /// It may be repeated.
    pub(super) multiple: bool,
    /// Its token is repeated with it.
    pub(super) multiple_token: bool,
    /// Which of the command's key specifications finds it.
    pub(super) key_spec: Option<usize>,
    /// The alternatives of a [`Kind::OneOf`], the parts of a [`Kind::Block`].
    pub(super) inner: Vec<Argument>,
}

/// What an argument is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Key,
    String,
    Integer,
    Double,
    UnixTime,
    Pattern,
    PureToken,
    OneOf,
    Block,
}

impl Kind {
    /// The name that COMMAND DOCS gives.
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Key => "key",
            Kind::String => "string",
            Kind::Integer => "integer",
            Kind::Double => "double",
            Kind::UnixTime => "unix-time",
            Kind::Pattern => "pattern",
            Kind::PureToken => "pure-token",
            Kind::OneOf => "oneof",
            Kind::Block => "block",
        }
    }
}

/// The arguments that a syntax describes. `first` is the position of the first one in a request: 1 after a command's
/// name, 2 after a subcommand's.
pub(super) fn arguments(syntax: &str, keys: &[KeySpec], first: usize) -> Vec<Argument> {
    let words = split(syntax);
    let nodes = read(&mut words.iter().copied().peekable(), None).pop().unwrap_or_default();
    let mut arguments = lower(&nodes);
    find_keys(&mut arguments, keys, first);
    arguments
}

/// A syntax as it is written.
#[derive(Debug, Clone, PartialEq)]
enum Node<'s> {
    Word(&'s str),
    Optional(Vec<Vec<Node<'s>>>),
    Choice(Vec<Vec<Node<'s>>>),
    Ellipsis,
}

/// Brackets, bars and words.
fn split(syntax: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    for word in syntax.split_whitespace() {
        let mut rest = word;
        while !rest.is_empty() {
            let end = match rest.find(['[', ']', '<', '>', '|']) {
                Some(0) => 1,
                Some(at) => at,
                None => rest.len(),
            };
            let (piece, after) = rest.split_at(end);
            pieces.push(piece);
            rest = after;
        }
    }
    pieces
}

/// Reads up to the closing bracket `until`; the alternatives between bars, each a sequence. Outside of brackets a bar
/// binds only its two neighbours, as in `key BEFORE | AFTER pivot`.
fn read<'s>(
    words: &mut std::iter::Peekable<impl Iterator<Item = &'s str>>,
    until: Option<&str>,
) -> Vec<Vec<Node<'s>>> {
    let mut alternatives = vec![Vec::new()];
    let mut bar = false;
    while let Some(word) = words.next() {
        let node = match word {
            "[" => Node::Optional(read(words, Some("]"))),
            "<" => Node::Choice(read(words, Some(">"))),
            "..." => Node::Ellipsis,
            "|" if until.is_some() => {
                alternatives.push(Vec::new());
                continue;
            }
            "|" => {
                bar = true;
                continue;
            }
            word if Some(word) == until => break,
            word => Node::Word(word),
        };
        let Some(sequence) = alternatives.last_mut() else { break };
        match (std::mem::take(&mut bar), sequence.pop()) {
            (true, Some(Node::Choice(mut others))) => {
                others.push(vec![node]);
                sequence.push(Node::Choice(others));
            }
            (true, Some(before)) => sequence.push(Node::Choice(vec![vec![before], vec![node]])),
            (_, before) => {
                sequence.extend(before);
                sequence.push(node);
            }
        }
    }
    alternatives
}

/// The arguments that a sequence stands for.
fn lower(nodes: &[Node<'_>]) -> Vec<Argument> {
    let mut arguments = Vec::new();
    let mut at = 0;
    while let Some(node) = nodes.get(at) {
        if let Some(repeat) = (at + 1..nodes.len()).find(|&end| repeats(nodes, at, end)) {
            arguments.push(group(lower(nodes.get(at..repeat).unwrap_or_default())).repeated());
            at = repeat + 1;
            continue;
        }
        at += 1;
        match node {
            Node::Word(word) if is_token(word) => {
                let end = at + operands(nodes.get(at..).unwrap_or_default());
                arguments.push(with_token(word, lower(nodes.get(at..end).unwrap_or_default())));
                at = end;
            }
            Node::Word(word) => {
                let (name, kind) = typed(word);
                arguments.push(Argument::new(name, kind));
            }
            Node::Choice(alternatives) => arguments.push(choice(alternatives)),
            Node::Optional(alternatives) => {
                arguments.push(Argument { optional: true, ..choice(alternatives) });
            }
            Node::Ellipsis => {}
        }
    }
    arguments
}

/// True when the node at `end` repeats the nodes from `start` up to it, as in `field value [field value ...]`.
fn repeats(nodes: &[Node<'_>], start: usize, end: usize) -> bool {
    let Some(Node::Optional(alternatives)) = nodes.get(end) else { return false };
    match alternatives.as_slice() {
        [sequence] => match sequence.split_last() {
            Some((Node::Ellipsis, repeated)) => Some(repeated) == nodes.get(start..end),
            _ => false,
        },
        _ => false,
    }
}

/// How many nodes after a token belong to it: values and choices, and their repetitions.
fn operands(nodes: &[Node<'_>]) -> usize {
    let belongs = |&at: &usize| match &nodes[at] {
        Node::Word(word) => !is_token(word),
        Node::Choice(_) => true,
        Node::Optional(_) => (0..at).any(|start| repeats(nodes, start, at)),
        Node::Ellipsis => false,
    };
    (0..nodes.len()).take_while(belongs).count()
}

fn with_token(token: &str, mut operands: Vec<Argument>) -> Argument {
    let name = token.trim_matches('"').to_ascii_lowercase();
    let token = Some(token.to_owned());
    match operands.pop() {
        None => Argument { token, ..Argument::new(&name, Kind::PureToken) },
        // The token names a choice better than its alternatives do.
        Some(only) if operands.is_empty() && only.kind == Kind::OneOf => Argument { name, token, ..only },
        Some(only) if operands.is_empty() && only.token.is_none() => Argument { token, ..only },
        Some(last) => {
            operands.push(last);
            Argument { token, inner: operands, ..Argument::new(&name, Kind::Block) }
        }
    }
}

/// Alternatives as one argument: a sequence where there is only one.
fn choice(alternatives: &[Vec<Node<'_>>]) -> Argument {
    if let [only] = alternatives {
        return match only.split_last() {
            Some((Node::Ellipsis, repeated)) => group(lower(repeated)).repeated(),
            _ => group(lower(only)),
        };
    }
    let inner: Vec<Argument> = alternatives.iter().map(|sequence| group(lower(sequence))).collect();
    let name = name_of_choice(&inner);
    Argument { inner, ..Argument::new(&name, Kind::OneOf) }
}

/// What Redis calls a choice, for those that many commands have; else the words to choose from.
fn name_of_choice(alternatives: &[Argument]) -> String {
    let words = alternatives.iter().map(|one| one.token.as_deref().unwrap_or(&one.name));
    let words: Vec<&str> = words.map(|word| word.trim_matches('"')).collect();
    match words.as_slice() {
        ["NX", "XX", ..] => "condition".to_owned(),
        ["EX", "PX", ..] => "expiration".to_owned(),
        words => words.join("-or-").to_ascii_lowercase(),
    }
}

/// A sequence as one argument: itself where it is only one.
fn group(mut parts: Vec<Argument>) -> Argument {
    if parts.len() == 1
        && let Some(only) = parts.pop()
    {
        return only;
    }
    let name = parts.iter().map(|part| part.name.as_str()).collect::<Vec<_>>().join("_");
    Argument { inner: parts, ..Argument::new(&name, Kind::Block) }
}

impl Argument {
    fn new(name: &str, kind: Kind) -> Self {
        Argument {
            name: name.to_owned(),
            kind,
            token: None,
            optional: false,
            multiple: false,
            multiple_token: false,
            key_spec: None,
            inner: Vec::new(),
        }
    }

    fn repeated(mut self) -> Self {
        self.multiple = true;
        self.multiple_token = self.token.is_some();
        self
    }
}

/// Tokens have capitals and no small letters, or are quoted (`""`), or are a mark that stands for itself (`=`).
fn is_token(word: &str) -> bool {
    !word.bytes().any(|byte| byte.is_ascii_lowercase()) && word != "..."
}

/// The name and the type of a value.
fn typed(word: &str) -> (&str, Kind) {
    let told = word.split_once(':').and_then(|(name, kind)| {
        let kinds = [Kind::String, Kind::Integer, Kind::Double];
        Some((name, kinds.into_iter().find(|known| known.name() == kind)?))
    });
    told.unwrap_or_else(|| (word, kind_of(word)))
}

/// The type of a value, by its name: names are chosen so that they tell it.
fn kind_of(name: &str) -> Kind {
    match name {
        "key" | "newkey" | "destkey" | "srckey" | "key1" | "key2" => Kind::Key,
        "pattern" => Kind::Pattern,
        "float" | "score" | "longitude" | "latitude" | "radius" | "width" | "height" | "float-increment" => {
            Kind::Double
        }
        "seconds" | "milliseconds" | "microseconds" | "count" | "increment" | "decrement" | "offset"
        | "start" | "end" | "stop" | "index" | "numkeys" | "cursor" | "port" | "timeout" | "bit" | "len"
        | "length" | "min-match-len" | "destination-db" | "index1" | "index2" | "db" | "protover"
        | "client-id" | "ttl" | "frequency" | "numlocal" | "numreplicas" | "version" | "columns" | "rows"
        | "rank" | "maxlen" | "weight" => Kind::Integer,
        _ if name.starts_with("unix-time") => Kind::UnixTime,
        _ => Kind::String,
    }
}

/// Marks the arguments that the key specifications find. Positions are certain only up to the first argument that may be
/// left out or repeated; keys after a keyword are found by it.
fn find_keys(arguments: &mut [Argument], keys: &[KeySpec], first: usize) {
    let mut position = Some(first);
    for argument in arguments {
        let at = position.map(|position| position + usize::from(argument.token.is_some()));
        let is_found = |spec: &KeySpec| match (spec.begin, spec.find) {
            (Begin::Index(index), Find::Range { .. } | Find::FirstHalf) => at == Some(index),
            (Begin::Index(index), Find::Count { first, .. }) => at == Some(index + first),
            (Begin::Keyword(word, _) | Begin::EachKeyword(word, _) | Begin::Among { word, .. }, _) => {
                argument.token.as_deref().is_some_and(|token| token.eq_ignore_ascii_case(word))
            }
        };
        // A channel of SPUBLISH stands where a key would, and is none.
        let found = keys.iter().position(|spec| spec.flags & key::NOT_KEY == 0 && is_found(spec));
        mark_key(argument, found);
        let width = width(argument);
        position = position.zip(width).map(|(position, width)| position + width);
    }
}

/// Makes an argument, or the first part of a block, a key.
fn mark_key(argument: &mut Argument, spec: Option<usize>) {
    match (argument.kind, spec) {
        (Kind::Block, _) => {
            for (place, part) in argument.inner.iter_mut().enumerate() {
                mark_key(part, spec.filter(|_| place == 0));
            }
        }
        (Kind::OneOf, _) => argument.inner.iter_mut().for_each(|part| mark_key(part, None)),
        (Kind::PureToken, _) | (_, None) => {}
        (_, Some(_)) => {
            argument.kind = Kind::Key;
            argument.key_spec = spec;
        }
    }
    if argument.kind == Kind::Key && argument.key_spec.is_none() {
        argument.key_spec = Some(0);
    }
}

/// How many words an argument takes, where that is certain.
fn width(argument: &Argument) -> Option<usize> {
    if argument.optional || argument.multiple {
        return None;
    }
    let token = usize::from(argument.token.is_some());
    match argument.kind {
        Kind::PureToken => Some(1),
        Kind::Block => argument.inner.iter().map(width).try_fold(token, |sum, width| Some(sum + width?)),
        Kind::OneOf => {
            let mut widths = argument.inner.iter().map(width);
            let one = widths.next()??;
            widths.all(|other| other == Some(one)).then_some(token + one)
        }
        _ => Some(token + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree as a line: `name:type(TOKEN)?*` and parts in braces; `+` is a repeated token, `#n` a key specification.
    fn show(arguments: &[Argument]) -> String {
        let one = |argument: &Argument| {
            let mut text = format!("{}:{}", argument.name, argument.kind.name());
            if let Some(token) = &argument.token {
                text.push_str(&format!("({token})"));
            }
            for (on, mark) in
                [(argument.optional, '?'), (argument.multiple, '*'), (argument.multiple_token, '+')]
            {
                text.extend(on.then_some(mark));
            }
            if let Some(spec) = argument.key_spec {
                text.push_str(&format!("#{spec}"));
            }
            if !argument.inner.is_empty() {
                text.push_str(&format!("{{{}}}", show(&argument.inner)));
            }
            text
        };
        arguments.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    fn tree(syntax: &str, keys: &[KeySpec]) -> String {
        show(&arguments(syntax, keys, 1))
    }

    #[test]
    fn options_with_and_without_values_are_told_apart() {
        assert_eq!(
            tree(
                "key value [NX | XX] [GET] [EX seconds | PX milliseconds | KEEPTTL]",
                &[KeySpec::first(key::RW)]
            ),
            "key:key#0 value:string condition:oneof?{nx:pure-token(NX) xx:pure-token(XX)} get:pure-token(GET)? \
             expiration:oneof?{seconds:integer(EX) milliseconds:integer(PX) keepttl:pure-token(KEEPTTL)}"
        );
    }

    #[test]
    fn what_may_be_repeated_is_one_argument() {
        assert_eq!(tree("key [key ...]", &[KeySpec::all(1, 1, key::RO)]), "key:key*#0");
        assert_eq!(
            tree("key value [key value ...]", &[KeySpec::all(1, 2, key::OW)]),
            "key_value:block*{key:key#0 value:string}"
        );
        assert_eq!(
            tree("key field value [field value ...]", &[KeySpec::first(key::RW)]),
            "key:key#0 field_value:block*{field:string value:string}"
        );
        assert_eq!(tree("[section [section ...]]", &[]), "section:string?*");
        assert_eq!(tree("[section ...]", &[]), "section:string?*");
    }

    #[test]
    fn a_token_that_is_repeated_with_its_value_says_so() {
        assert_eq!(tree("[GET pattern [GET pattern ...]]", &[]), "pattern:pattern(GET)?*+");
        assert_eq!(tree("[ID client-id [client-id ...]]", &[]), "client-id:integer(ID)?*");
    }

    #[test]
    fn a_token_before_several_values_makes_a_block() {
        assert_eq!(tree("[LIMIT offset count]", &[]), "limit:block(LIMIT)?{offset:integer count:integer}");
        assert_eq!(
            tree("[FILTERBY <MODULE module-name | PATTERN pattern>]", &[]),
            "filterby:oneof(FILTERBY)?{module-name:string(MODULE) pattern:pattern(PATTERN)}"
        );
    }

    #[test]
    fn a_bar_without_brackets_binds_its_neighbours() {
        let expected = "key:key#0 before-or-after:oneof{before:pure-token(BEFORE) after:pure-token(AFTER)} \
                        pivot:string element:string";
        let keys = [KeySpec::first(key::RW)];
        assert_eq!(tree("key BEFORE | AFTER pivot element", &keys), expected);
        assert_eq!(tree("key <BEFORE | AFTER> pivot element", &keys), expected);
        assert_eq!(tree("key <BEFORE|AFTER> pivot element", &keys), expected);
    }

    #[test]
    fn keys_are_found_by_position_count_and_keyword() {
        let count = KeySpec::counted(2, key::RO);
        assert_eq!(
            tree("destination numkeys key [key ...]", &[KeySpec::first(key::OW), count]),
            "destination:key#0 numkeys:integer key:key*#1"
        );
        let streams = KeySpec {
            flags: key::RO,
            begin: Begin::Keyword("STREAMS", 1),
            find: Find::Range { last: -1, step: 1 },
        };
        assert_eq!(
            tree("[COUNT count] STREAMS key [key ...] id [id ...]", &[streams]),
            "count:integer(COUNT)? streams:block(STREAMS){key:key*#0 id:string*}"
        );
        assert_eq!(
            show(&arguments("key [SAMPLES count]", &[KeySpec::at(2, key::RO)], 2)),
            "key:key#0 count:integer(SAMPLES)?"
        );
        assert_eq!(
            tree("<AND | OR> destkey key [key ...]", &[KeySpec::at(2, key::OW), KeySpec::all(3, 1, key::RO)]),
            "and-or-or:oneof{and:pure-token(AND) or:pure-token(OR)} destkey:key#0 key:key*#1"
        );
    }

    #[test]
    fn a_value_whose_name_says_nothing_says_its_type() {
        assert_eq!(
            tree("timeout timeout:double ip:port", &[]),
            "timeout:integer timeout:double ip:port:string"
        );
        assert_eq!(tree("shardchannel", &[KeySpec::first(key::NOT_KEY)]), "shardchannel:string");
    }

    #[test]
    fn a_syntax_without_anything_has_no_arguments() {
        assert!(arguments("", &[], 1).is_empty());
    }

    #[test]
    fn brackets_that_do_not_match_end_nothing_but_themselves() {
        for broken in ["[", "]", "<a", "a | ", "[a | b", "...", "[...]", "| a"] {
            let _ = arguments(broken, &[], 1);
        }
    }
}
