//! Reads one increment: bytes in, units out, and a verdict on where and why it ended.
//!
//! Pure: no files, no clock, no panic whatever the bytes. Nothing is copied; arguments are slices of the
//! input. A group of our own is handed out only after its checks have passed, so what comes out is what was
//! written, or does not come out.
//!
//! How an end that is not clean is judged (see `record` for the lines):
//!
//! ```text
//! our own section     A bad group is a *torn tail* when nothing of it can have been acknowledged as
//!                     being on the device: no later good group has a watermark that reaches it, and no
//!                     later section was begun behind it (that is done only on a file that has been
//!                     checked). Otherwise it is *corruption*. That a good group follows does not
//!                     suffice: a power cut may leave any choice of the pages not yet synced.
//! another server's    Redis's rules: a command or MULTI that is not complete at the end is torn, a
//!                     format error is corruption. A rest of zeros is torn.
//! ```

use memchr::memmem;

use super::batch::Batch;
use super::ranges::Prefixes;
use super::record::{
    ANNOTATION_LEN_MAX, CHECK_PREFIX, Check, GROUP_LINE, SECTION_PREFIX, Section, Seq, TIME_PREFIX,
};
use super::resp::{self, Parsed};

/// A unit that another server wrote is handed out with at most so many others, to bound memory.
const FOREIGN_BATCH_UNITS_MAX: usize = 1024;

/// How an increment ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Good to the last byte.
    Clean,
    /// Good up to `offset`; what follows was never finished, nor promised to anybody.
    Torn { offset: u64, reason: &'static str },
    /// Data that may have been acknowledged is damaged. `seq` is the last good sequence number.
    Corrupt { offset: u64, seq: Seq, reason: &'static str },
    /// The section at `offset` continues from `found`, but what is before it ends with `seq`.
    Gap { offset: u64, seq: Seq, found: Seq },
}

/// What is known when an increment has been read to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    pub verdict: Verdict,
    /// The sequence number before the first unit, when the file tells it.
    pub first: Option<Seq>,
    /// The sequence number of the last good unit.
    pub last: Seq,
    /// The highest sequence number that a good group says is on the device.
    pub watermark: Seq,
    /// The seed of the last section, which the next section's line hangs on. 0 without one.
    pub seed: u32,
}

/// See the head of this file.
pub struct Reader<'a> {
    data: &'a [u8],
    /// End of what is good.
    pos: usize,
    db: u32,
    /// Whether what follows must be our own.
    own: bool,
    seed: u32,
    chain: u32,
    first: Option<Seq>,
    last: Seq,
    watermark: Seq,
    /// The last `#TS` line's time, 0 before the first.
    time_unix_s: i64,
    verdict: Option<Verdict>,
    batch: Batch<'a>,
}

/// Why the commands from some place on could not be taken over.
enum Stop {
    /// The input ends before they do.
    Short(&'static str),
    Bad(&'static str),
}

impl<'a> Reader<'a> {
    /// `start` is the sequence number before the first unit, where it is known from the file or base
    /// before: a file that says otherwise is corrupt, since something is missing between the two.
    pub fn new(data: &'a [u8], start: Option<Seq>) -> Self {
        Self {
            data,
            pos: 0,
            db: 0,
            own: false,
            seed: 0,
            chain: 0,
            first: start,
            last: start.unwrap_or_default(),
            watermark: 0,
            time_unix_s: 0,
            verdict: None,
            batch: Batch::default(),
        }
    }

    /// The next units, or `None` at the end; then `finish` tells what kind of end.
    pub fn next_batch(&mut self) -> Option<&Batch<'a>> {
        while self.verdict.is_none() {
            self.batch.clear(self.last, self.time_unix_s);
            let rest = self.rest();
            if rest.is_empty() {
                self.verdict = Some(Verdict::Clean);
            } else if rest.starts_with(SECTION_PREFIX) {
                self.section();
            } else if self.pos == 0 && self.first.is_some() && is_rubbish(rest) {
                self.torn("the file's first line was never finished");
            } else if self.own && !rest.starts_with(b"*") && !rest.starts_with(TIME_PREFIX) {
                self.own_group();
            } else {
                self.foreign_batch();
            }
            if !self.batch.units.is_empty() {
                return Some(&self.batch);
            }
        }
        None
    }

    /// The verdict and what goes with it. What has not been read yet is read first, and dropped.
    pub fn finish(mut self) -> Summary {
        while self.next_batch().is_some() {}
        Summary {
            verdict: self.verdict.unwrap_or(Verdict::Clean),
            first: self.first,
            last: self.last,
            watermark: self.watermark,
            seed: self.seed,
        }
    }

    /// How far it is, in bytes.
    pub fn offset(&self) -> u64 {
        self.pos as u64
    }

    fn rest(&self) -> &'a [u8] {
        self.data.get(self.pos..).unwrap_or_default()
    }

    fn torn(&mut self, reason: &'static str) {
        self.verdict = Some(Verdict::Torn { offset: self.pos as u64, reason });
    }

    fn corrupt(&mut self, reason: &'static str) {
        self.verdict = Some(Verdict::Corrupt { offset: self.pos as u64, seq: self.last, reason });
    }

    fn section(&mut self) {
        let Some(line) = line_of(self.rest()) else { return self.bad_section("a section line has no end") };
        let continues = if self.pos == 0 { self.first } else { Some(self.last) };
        match Section::parse(line, self.seed) {
            Some(Ok((section, _)))
                if continues.is_some_and(|seq| seq != section.first)
                    && !cfg!(feature = "canary-gap-accepted") =>
            {
                self.verdict =
                    Some(Verdict::Gap { offset: self.pos as u64, seq: self.last, found: section.first });
            }
            Some(Ok((section, seed))) => {
                self.first.get_or_insert(section.first);
                (self.seed, self.chain, self.last, self.own) = (seed, seed, section.first, true);
                self.pos += line.len() + 2;
            }
            Some(Err(_)) => self.corrupt("the file is of a newer format"),
            None => self.bad_section("a section line is damaged"),
        }
    }

    /// Without its section line nothing after it can be verified. The shape of a later watermark has to do.
    fn bad_section(&mut self, reason: &'static str) {
        let reached = memmem::find_iter(self.rest(), CHECK_PREFIX).any(|at| {
            let line = self.rest().get(at..).and_then(line_of);
            line.and_then(Check::parse).is_some_and(|check| check.durable > self.last)
        });
        if reached { self.corrupt(reason) } else { self.torn(reason) }
    }

    fn own_group(&mut self) {
        match self.parse_own_group() {
            Ok((end, check)) => {
                self.pos = end;
                self.chain = check.chain;
                self.last = check.seq;
                self.watermark = self.watermark.max(check.durable);
                self.time_unix_s = self.batch.time_after_unix_s();
            }
            Err(Stop::Short(reason) | Stop::Bad(reason)) => {
                self.batch.clear(self.last, self.time_unix_s);
                let reached = self.section_after() || self.watermark_after();
                match reached && !cfg!(feature = "canary-rot-taken-for-torn") {
                    true => self.corrupt(reason),
                    false => self.torn(reason),
                }
            }
        }
    }

    fn parse_own_group(&mut self) -> Result<(usize, Check), Stop> {
        let mut pos = self.pos;
        if self.rest().starts_with(GROUP_LINE) {
            pos = self.parse_units(pos + GROUP_LINE.len(), usize::MAX, true).1?;
        }
        let bytes = self.data.get(self.pos..pos).unwrap_or_default();
        let Some(line) = self.data.get(pos..).and_then(line_of) else {
            return Err(Stop::Short("a group is not finished"));
        };
        let check = Check::parse(line).ok_or(Stop::Bad("not a check line where one is due"))?;
        let is_unchecked = cfg!(feature = "canary-crc-not-checked");
        let crc = if is_unchecked { check.crc } else { crc32c::crc32c_append(self.seed, bytes) };
        if check.len != bytes.len() as u64 || check.crc != crc {
            return Err(Stop::Bad("a group's checksum is wrong"));
        }
        if check.chain != check.chain_after(self.chain) || check.seq < self.last {
            return Err(Stop::Bad("a check line does not continue the one before"));
        }
        Ok((pos + line.len() + 2, check))
    }

    /// Whether a section was begun behind `pos`: then what is at `pos` had been checked before.
    fn section_after(&self) -> bool {
        memmem::find_iter(self.rest(), SECTION_PREFIX).any(|at| {
            let line = self.rest().get(at..).and_then(line_of);
            line.is_some_and(|line| matches!(Section::parse(line, self.seed), Some(Ok(_))))
        })
    }

    /// Whether a good group of this section behind `pos` tells that the group at `pos` had reached the
    /// device.
    fn watermark_after(&self) -> bool {
        let rest = self.rest();
        let prefixes = Prefixes::new(rest);
        let tells = |at: usize| {
            let Some(check) = rest.get(at..).and_then(line_of).and_then(Check::parse) else { return false };
            let Some(from) = usize::try_from(check.len).ok().and_then(|len| at.checked_sub(len)) else {
                return false;
            };
            // Undamaged bytes behind an unfit check line: no tear leaves that.
            let reaches = check.durable > self.last || from == 0;
            reaches && prefixes.crc(self.seed, from, at) == check.crc
        };
        memmem::find_iter(rest, CHECK_PREFIX).any(tells)
    }

    /// Takes what another server wrote, by its rules.
    fn foreign_batch(&mut self) {
        if self.own && self.watermark_after() {
            return self.corrupt("commands stand where a group is due");
        }
        self.own = false;
        self.first.get_or_insert(0);
        let (good, end) = self.parse_units(self.pos, FOREIGN_BATCH_UNITS_MAX, false);
        self.pos = good;
        self.last += self.batch.units.len() as Seq;
        self.time_unix_s = self.batch.time_after_unix_s();
        match end {
            Ok(_) => {}
            Err(Stop::Short(reason)) => self.torn(reason),
            Err(Stop::Bad(_)) if self.rest().iter().all(|&b| b == 0) => self.torn("a rest of zeros"),
            Err(Stop::Bad(reason)) => self.corrupt(reason),
        }
    }

    /// Parses units into the batch, from `pos` to a check or section line or the end. Returns the end of
    /// the last whole unit, and where and why it stopped.
    fn parse_units(&mut self, mut pos: usize, units_max: usize, own: bool) -> (usize, Result<usize, Stop>) {
        let mut good = pos;
        let mut db = self.db;
        let mut multi = None;
        while self.batch.units.len() < units_max {
            let rest = self.data.get(pos..).unwrap_or_default();
            if rest.is_empty() && !own && multi.is_none() {
                break;
            }
            if rest.first() == Some(&b'#') {
                if multi.is_none() && rest.starts_with(if own { CHECK_PREFIX } else { SECTION_PREFIX }) {
                    break;
                }
                if !own && rest.starts_with(CHECK_PREFIX) {
                    return (good, Err(Stop::Bad("a check line without a section")));
                }
                match line_of(rest) {
                    Some(line) => {
                        pos += line.len() + 2;
                        if let Some(time) = parse_time(line) {
                            self.batch.stamps.push((self.batch.units.len(), time));
                        }
                    }
                    None if rest.len() >= ANNOTATION_LEN_MAX => {
                        return (good, Err(Stop::Bad("an annotation is too long")));
                    }
                    None => return (good, Err(Stop::Short("an annotation is not finished"))),
                }
                if multi.is_none() {
                    good = pos;
                }
                continue;
            }
            let first_arg = self.batch.args.len();
            let parsed = resp::parse_command(self.data, pos, &mut self.batch.args);
            let stop = match parsed {
                Parsed::Command(end) => {
                    pos = end;
                    self.take_command(first_arg, &mut db, &mut multi).err()
                }
                Parsed::Short if multi.is_some() => Some(Stop::Short("a transaction is not finished")),
                Parsed::Short => Some(Stop::Short("a command is not finished")),
                Parsed::Bad => Some(Stop::Bad("not a command")),
            };
            if let Some(stop) = stop {
                let whole = self.batch.units.last().copied().unwrap_or_default();
                self.batch.commands.truncate(whole);
                return (good, Err(stop));
            }
            if multi.is_none() {
                good = pos;
                self.db = db;
            }
        }
        (good, Ok(pos))
    }

    /// Files the command whose arguments begin at `first_arg`.
    fn take_command(&mut self, first_arg: usize, db: &mut u32, multi: &mut Option<()>) -> Result<(), Stop> {
        let args = self.batch.args.get(first_arg..).unwrap_or_default();
        let &[name, ref more @ ..] = args else { return Err(Stop::Bad("a command without a name")) };
        if name.eq_ignore_ascii_case(b"select") {
            let [index] = more else { return Err(Stop::Bad("SELECT without a database")) };
            *db = parse_db(index).ok_or(Stop::Bad("SELECT of no database"))?;
        } else if name.eq_ignore_ascii_case(b"multi") && more.is_empty() {
            if multi.replace(()).is_some() {
                return Err(Stop::Bad("MULTI inside MULTI"));
            }
        } else if name.eq_ignore_ascii_case(b"exec") && more.is_empty() {
            multi.take().ok_or(Stop::Bad("EXEC without MULTI"))?;
            self.batch.units.push(self.batch.commands.len());
            self.batch.args.truncate(first_arg);
            return Ok(());
        } else {
            self.batch.commands.push((*db, first_arg, self.batch.args.len()));
            if multi.is_none() {
                self.batch.units.push(self.batch.commands.len());
            }
            return Ok(());
        }
        self.batch.args.truncate(first_arg);
        Ok(())
    }
}

/// The longest that a section's line can be.
const SECTION_LEN_MAX: usize = 64;

/// What a power cut makes of a section's line that begins a file. Nothing follows it, because groups are written only after
/// it has been synced.
fn is_rubbish(file: &[u8]) -> bool {
    file.len() <= SECTION_LEN_MAX && !matches!(file.first(), Some(b'*' | b'#'))
}

/// The line at the beginning of `bytes`, without its end, when it is one that Redis would skip.
fn line_of(bytes: &[u8]) -> Option<&[u8]> {
    let window = bytes.get(..ANNOTATION_LEN_MAX).unwrap_or(bytes);
    window.get(..memchr::memchr(b'\n', window)?)?.strip_suffix(b"\r")
}

/// The time of a `#TS` line. One that is none tells nothing; Redis skips it, too.
fn parse_time(line: &[u8]) -> Option<i64> {
    std::str::from_utf8(line.strip_prefix(TIME_PREFIX)?).ok()?.parse().ok()
}

fn parse_db(text: &[u8]) -> Option<u32> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::log::record::encode_command;

    /// Builds increments as the writer does.
    #[derive(Default)]
    struct Builder {
        bytes: Vec<u8>,
        seed: u32,
        chain: u32,
        seq: Seq,
    }

    impl Builder {
        fn section(mut self, id: u64) -> Self {
            self.seed = Section { id, first: self.seq }.encode(self.seed, &mut self.bytes);
            self.chain = self.seed;
            self
        }

        /// One group of units; a unit of several commands becomes a transaction.
        fn group(mut self, units: &[&[&str]], durable: Seq) -> Self {
            let mut group = GROUP_LINE.to_vec();
            for unit in units {
                let commands = unit.iter().map(|c| c.split(' ').map(str::as_bytes).collect::<Vec<_>>());
                let fence = |word: &'static str| (unit.len() > 1).then(|| vec![word.as_bytes()]);
                for args in fence("MULTI").into_iter().chain(commands).chain(fence("EXEC")) {
                    encode_command(&mut group, args.into_iter());
                }
            }
            self.seq += units.iter().filter(|u| !u[0].starts_with("SELECT")).count() as Seq;
            let check = Check::of(&group, self.seq, durable, self.seed, self.chain);
            self.bytes.extend_from_slice(&group);
            check.encode(&mut self.bytes);
            self.chain = check.chain;
            self
        }

        fn raw(mut self, bytes: &[u8]) -> Self {
            self.bytes.extend_from_slice(bytes);
            self
        }
    }

    fn sample() -> Builder {
        Builder::default()
            .section(0x1234)
            .group(&[&["SELECT 0"], &["SET a 1"], &["SET b 2"]], 0)
            .group(&[&["SELECT 3"], &["INCR a", "INCR b"]], 2)
            .group(&[&["DEL c"]], 2)
    }

    /// Everything delivered, as text, and how it ended.
    fn read(bytes: &[u8]) -> (Vec<String>, Summary) {
        let mut reader = Reader::new(bytes, None);
        let mut units = Vec::new();
        while let Some(batch) = reader.next_batch() {
            for unit in batch.units() {
                let commands: Vec<_> = unit
                    .commands()
                    .map(|c| format!("{}>{}", c.db, String::from_utf8_lossy(&c.args.join(&b' '))))
                    .collect();
                units.push(format!("{} {}", unit.seq, commands.join("; ")));
            }
        }
        (units, reader.finish())
    }

    #[test]
    fn a_valid_file_gives_its_units_in_order_with_database_and_sequence_number() {
        let (units, summary) = read(&sample().bytes);
        assert_eq!(units, ["1 0>SET a 1", "2 0>SET b 2", "3 3>INCR a; 3>INCR b", "4 3>DEL c"]);
        assert_eq!((summary.verdict, summary.first, summary.last), (Verdict::Clean, Some(0), 4));
        assert_eq!(summary.watermark, 2);
    }

    #[test]
    fn every_cut_of_a_valid_file_is_torn_at_a_group_or_clean_and_delivers_a_prefix() {
        let bytes = sample().bytes;
        let all = read(&bytes).0;
        for len in 0..bytes.len() {
            let (units, summary) = read(&bytes[..len]);
            assert_eq!(units, all[..units.len()], "cut at {len}");
            assert!(matches!(summary.verdict, Verdict::Clean | Verdict::Torn { .. }), "cut at {len}");
        }
    }

    #[test]
    fn every_flipped_bit_is_found_and_nothing_else_than_what_was_written_comes_out() {
        let bytes = sample().bytes;
        let all = read(&bytes).0;
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let (units, summary) = read(&flipped);
            assert_eq!(units, all[..units.len()], "bit {bit}");
            assert_ne!(summary.verdict, Verdict::Clean, "bit {bit}");
        }
    }

    #[test]
    fn damage_that_a_later_watermark_reaches_is_corruption_and_other_damage_is_a_torn_tail() {
        let mut bytes = sample().bytes;
        let at = memmem::find(&bytes, b"SET").unwrap();
        bytes[at] = b'X';
        assert!(matches!(read(&bytes).1.verdict, Verdict::Corrupt { seq: 0, .. }));

        // The second group is above the third one's watermark: a power cut may have left just the third.
        let mut bytes = sample().bytes;
        let at = memmem::find(&bytes, b"INCR").unwrap();
        bytes[at] = b'X';
        let (units, summary) = read(&bytes);
        assert_eq!(units.len(), 2);
        assert!(matches!(summary.verdict, Verdict::Torn { .. }), "{summary:?}");
    }

    #[test]
    fn a_rest_of_zeros_or_of_noise_is_a_torn_tail() {
        let good = sample().bytes.len() as u64;
        for tail in [&[0u8; 600][..], b"#G\r\n*3\r\n$3\r\nSE", b"#G", b"#", b"\xff\xfe\n\r\n"] {
            let (units, summary) = read(&sample().raw(tail).bytes);
            assert_eq!(units.len(), 4);
            assert!(matches!(summary.verdict, Verdict::Torn { offset, .. } if offset == good), "{summary:?}");
        }
    }

    #[test]
    fn a_file_whose_first_line_never_reached_the_disk_is_torn_if_it_continues_another() {
        let line = Builder::default().section(7).bytes;
        let verdict = |bytes: &[u8], start| Reader::new(bytes, start).finish().verdict;
        for rubbish in [vec![0xd3; line.len()], [&[0xd3; 9], &line[9..]].concat()] {
            assert!(matches!(verdict(&rubbish, Some(4)), Verdict::Torn { offset: 0, .. }));
            assert!(matches!(verdict(&rubbish, None), Verdict::Corrupt { .. }), "another server's file");
        }
        // Once there is more than that line, it had been synced.
        let mut more = sample().bytes;
        more[0] = 0xd3;
        assert!(matches!(verdict(&more, Some(0)), Verdict::Corrupt { offset: 0, .. }));
    }

    #[test]
    fn a_value_that_imitates_groups_and_sections_does_not_turn_a_tear_into_corruption() {
        let forged = Builder::default().section(9).group(&[&["SET x y"]], 0).group(&[&["DEL x"]], 99).bytes;
        let mut group = GROUP_LINE.to_vec();
        encode_command(&mut group, [b"SET".as_slice(), b"k", &forged].into_iter());
        group.truncate(group.len() - 2);
        let (units, summary) = read(&sample().raw(&group).bytes);
        assert_eq!(units.len(), 4);
        assert!(matches!(summary.verdict, Verdict::Torn { .. }), "{summary:?}");
    }

    #[test]
    fn another_servers_commands_behind_ours_are_taken_and_so_is_our_next_section() {
        let mut foreign = Vec::new();
        encode_command(&mut foreign, [b"SELECT".as_slice(), b"0"].into_iter());
        encode_command(&mut foreign, [b"SET".as_slice(), b"f", b"1"].into_iter());
        let mut file = sample().raw(b"#TS:1700000000\r\n").raw(&foreign);
        file.seq += 1;
        let file = file.section(77).group(&[&["SET z 1"]], 5);
        let (units, summary) = read(&file.bytes);
        assert_eq!(units[4..], ["5 0>SET f 1", "6 0>SET z 1"]);
        assert_eq!(summary.verdict, Verdict::Clean);
    }

    #[test]
    fn a_section_that_does_not_continue_is_a_gap() {
        let mut file = sample();
        file.seq += 1;
        let verdict = read(&file.section(1).bytes).1.verdict;
        assert!(matches!(verdict, Verdict::Gap { seq: 4, found: 5, .. }), "{verdict:?}");
        let summary = Reader::new(&sample().bytes, Some(7)).finish();
        assert!(matches!(summary.verdict, Verdict::Gap { seq: 7, found: 0, .. }));
    }

    #[test]
    fn a_file_of_another_server_is_read_by_its_rules() {
        let mut bytes = Vec::new();
        for command in ["SELECT 2", "SET a 1", "MULTI", "INCR a"] {
            encode_command(&mut bytes, command.split(' ').map(str::as_bytes).collect::<Vec<_>>().into_iter());
        }
        let multi = memmem::find(&bytes, b"*1").unwrap() as u64;
        let (units, summary) = read(&bytes);
        assert_eq!(units, ["1 2>SET a 1"]);
        assert!(matches!(summary.verdict, Verdict::Torn { offset, .. } if offset == multi));
        let (units, summary) = read(&[&bytes, b"+what".as_slice()].concat());
        assert_eq!(units, ["1 2>SET a 1"]);
        assert!(matches!(summary.verdict, Verdict::Corrupt { seq: 1, .. }));
    }

    #[test]
    fn a_newer_format_is_refused() {
        let verdict = read(b"#PS:2:xyz\r\n").1.verdict;
        assert!(matches!(verdict, Verdict::Corrupt { reason: "the file is of a newer format", .. }));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, own: bool) {
            let file = if own { sample().raw(&bytes).bytes } else { bytes };
            read(&file);
        }

        #[test]
        fn overwriting_any_stretch_of_a_file_never_brings_out_other_units(
            at in 0usize..400, noise in proptest::collection::vec(any::<u8>(), 1..40)
        ) {
            let bytes = sample().bytes;
            let all = read(&bytes).0;
            let mut damaged = bytes.clone();
            let at = at % bytes.len();
            let end = (at + noise.len()).min(bytes.len());
            damaged[at..end].copy_from_slice(&noise[..end - at]);
            let (units, summary) = read(&damaged);
            prop_assert_eq!(&units[..], &all[..units.len()]);
            prop_assert!(damaged == bytes || summary.verdict != Verdict::Clean);
        }
    }
}
