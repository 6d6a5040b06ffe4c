//! An increment written apart from a log that is not running: all of it comes to the log in one step, or nothing.
//!
//! ```text
//! open, replay     the caller has learnt the log's last sequence number         (Opened)
//! append …         groups go into a file under a temporary name                 (nothing counts yet)
//! commit           what was found is synced; the file is synced and renamed; the manifest names it
//! ```
//!
//! Until the manifest is replaced nobody reads the new file: a crash, or input that turns out to be bad half-way, leaves
//! the log as it was. Memory holds one group at a time, whatever the length of the whole.
//!
//! The file ends with a section line, which a server writes only on a file that it has checked. So damage to what was
//! brought in is told from the unfinished end that a crash leaves.

use std::io::{self, Write};

use super::manifest::Entry;
use super::open::{OpenError, Opened, failed};
use super::rdb::{Header, RdbWriter};
use super::record::{Check, GROUP_LINE, Section, Seq, encode_command};
use super::replace::ReplaceFile;
use super::writer::random_id;

/// A group is written when it has become this long, in bytes.
const GROUP_LEN: usize = 1024 * 1024;

/// See the head of this file. Dropped before `commit`, it leaves the log as it was.
pub struct Annex {
    opened: Opened,
    entry: Entry,
    file: ReplaceFile,
    /// What was appended and not written yet, behind the group's own line.
    group: Vec<u8>,
    db: Option<u32>,
    first: Seq,
    last: Seq,
    seed: u32,
    chain: u32,
}

impl Opened {
    /// Begins an increment behind everything that is there; `replay` must have been called.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn annex(mut self) -> Result<Annex, OpenError> {
        let place = self.place.clone();
        let entry = self.generation.new_increment(&place);
        let path = place.path(&entry.name);
        let first = self.recovery().last;
        let mut line = Vec::new();
        let seed = Section { id: random_id(), first }.encode(0, &mut line);
        let created = place.storage.create_dir_all(&place.dir()).and_then(|()| {
            let mut file = ReplaceFile::create(&place.storage, &path)?;
            file.write_all(&line)?;
            Ok(file)
        });
        let file = created.map_err(failed("create", path))?;
        let group = GROUP_LINE.to_vec();
        Ok(Annex { opened: self, entry, file, group, db: None, first, last: first, seed, chain: seed })
    }
}

impl Annex {
    /// Appends one command as a unit of its own.
    ///
    /// # Errors
    /// When the file cannot be written; nothing can come of the annex then.
    pub fn append<'a>(
        &mut self,
        db: u32,
        words: impl ExactSizeIterator<Item = &'a [u8]>,
    ) -> Result<(), OpenError> {
        if self.db.replace(db) != Some(db) {
            let index = itoa::Buffer::new().format(db).to_owned();
            encode_command(&mut self.group, [b"SELECT".as_slice(), index.as_bytes()].into_iter());
        }
        encode_command(&mut self.group, words);
        self.last += 1;
        if self.group.len() < GROUP_LEN {
            return Ok(());
        }
        self.write_group().map_err(failed("write", self.opened.place.path(&self.entry.name)))
    }

    fn write_group(&mut self) -> io::Result<()> {
        if self.group.len() == GROUP_LINE.len() {
            return Ok(());
        }
        // What was there before is synced before the file counts.
        let check = Check::of(&self.group, self.last, self.first, self.seed, self.chain);
        check.encode(&mut self.group);
        self.file.write_all(&self.group)?;
        self.chain = check.chain;
        self.group.clear();
        self.group.extend_from_slice(GROUP_LINE);
        Ok(())
    }

    /// Makes everything appended a part of the log, lasting. For a directory without a log, `fill` writes what its first
    /// base is to hold; the number of units that were added.
    ///
    /// # Errors
    /// When a file cannot be written or synced. Then the log is as it was.
    pub fn commit(
        mut self,
        header: &Header<'_>,
        fill: impl FnOnce(&mut RdbWriter<ReplaceFile>) -> io::Result<()>,
    ) -> Result<u64, OpenError> {
        let mut end = Vec::new();
        Section { id: random_id(), first: self.last }.encode(self.seed, &mut end);
        let written = self.write_group().and_then(|()| self.file.write_all(&end));
        let Annex { mut opened, entry, file, first, last, .. } = self;
        let place = opened.place.clone();
        let path = place.path(&entry.name);
        written.map_err(failed("write", path.clone()))?;
        opened.sync_increments()?;
        if opened.fresh && opened.generation.manifest.base.is_none() {
            // The base alone first: an increment without a manifest would be data that somebody misses.
            opened.set_first_base(header, fill)?;
            opened.install(opened.generation.manifest.clone())?;
        }
        file.commit().map_err(|error| failed("write", path)(error.error))?;
        let mut manifest = opened.generation.manifest.clone();
        manifest.increments.push(entry);
        opened.install(manifest)?;
        let root = place.lock.dir().to_path_buf();
        place.storage.sync_dir(&root).map_err(failed("sync", root))?;
        Ok(last - first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::place::{DirectoryLock, Names};
    use crate::log::storage::{FaultyStorage, MemoryStorage, Storage};
    use crate::log::{Fsync, LogOptions, open};
    use std::path::Path;
    use std::sync::Arc;

    const OPTIONS: LogOptions = LogOptions { fsync: Fsync::EverySecond, timestamps: false };

    fn header() -> Header<'static> {
        Header { redis_version: "7.0.15", created_unix_s: 1, used_memory: 0, aof_base: true, seq: Some(0) }
    }

    fn opened(storage: &Arc<dyn Storage>) -> Result<(Opened, Vec<String>), OpenError> {
        let lock = DirectoryLock::take(&**storage, Path::new("d")).map_err(failed("lock", "d".into()))?;
        let lock = Arc::new(lock);
        let mut opened = open(storage.clone(), lock, Names::default())?;
        let mut found = Vec::new();
        opened.replay(|batch| {
            for command in batch.units().flat_map(|unit| unit.commands()) {
                let words: Vec<String> = command.args.iter().map(|w| w.escape_ascii().to_string()).collect();
                found.push(format!("{} {}", command.db, words.join(" ")));
            }
        })?;
        Ok((opened, found))
    }

    /// A server's life: it starts and writes one unit.
    fn serve(storage: &Arc<dyn Storage>, word: &str) {
        let log = opened(storage).unwrap().0.start(OPTIONS, &header()).unwrap();
        let seq = log.append(0, |out| encode_command(out, [b"SET".as_slice(), word.as_bytes()].into_iter()));
        log.flush(seq, 1).unwrap();
    }

    fn bring_in(storage: &Arc<dyn Storage>, words: &[&str]) -> Result<u64, OpenError> {
        let mut annex = opened(storage)?.0.annex()?;
        for word in words {
            annex.append(3, [b"SET".as_slice(), word.as_bytes()].into_iter())?;
        }
        annex.commit(&header(), |_| Ok(()))
    }

    #[test]
    fn what_was_brought_in_stands_between_what_was_written_before_and_after() {
        for fresh in [false, true] {
            let memory: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
            if !fresh {
                serve(&memory, "before");
            }
            let long = "x".repeat(3 * GROUP_LEN);
            assert_eq!(bring_in(&memory, &["a", &long, "b"]).unwrap(), 3);
            serve(&memory, "after");
            let mut expected =
                vec!["3 SET a".to_owned(), format!("3 SET {long}"), "3 SET b".into(), "0 SET after".into()];
            if !fresh {
                expected.insert(0, "0 SET before".into());
            }
            assert!(opened(&memory).unwrap().1 == expected);
        }
    }

    #[test]
    fn a_crash_at_any_operation_brings_in_all_or_nothing() {
        let words = ["a", "b", "c"];
        for (fresh, halt) in
            [false, true].into_iter().flat_map(|fresh| (1..60).map(move |halt| (fresh, halt)))
        {
            let memory = MemoryStorage::new();
            let plain: Arc<dyn Storage> = Arc::new(memory.clone());
            if !fresh {
                serve(&plain, "before");
            }
            let faulty = FaultyStorage::new(plain.clone());
            faulty.halt_at(halt);
            let outcome = bring_in(&(Arc::new(faulty) as Arc<dyn Storage>), &words);
            memory.crash_torn(halt);
            let found = opened(&plain).unwrap_or_else(|why| panic!("{fresh} {halt}: {why}")).1;
            let brought = found.iter().filter(|line| line.starts_with('3')).count();
            assert!(brought == 3 || (brought == 0 && outcome.is_err()), "{fresh} {halt}: {found:?}");
            serve(&plain, "after");
        }
    }

    #[test]
    fn an_annex_that_is_given_up_leaves_the_log_as_it_was() {
        let memory: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
        serve(&memory, "before");
        let names = memory.list(Path::new("d/appendonlydir")).unwrap();
        let mut annex = opened(&memory).unwrap().0.annex().unwrap();
        annex.append(0, [b"SET".as_slice(), b"x"].into_iter()).unwrap();
        drop(annex);
        assert_eq!(memory.list(Path::new("d/appendonlydir")).unwrap(), names);
        assert_eq!(opened(&memory).unwrap().1, ["0 SET before"]);
    }

    #[test]
    fn damage_to_what_was_brought_in_is_not_taken_for_a_crash() {
        let memory = MemoryStorage::new();
        let plain: Arc<dyn Storage> = Arc::new(memory.clone());
        bring_in(&plain, &["abcdef"]).unwrap();
        let path = Path::new("d/appendonlydir/appendonly.aof.1.incr.aof");
        let bytes = plain
            .read_all(path)
            .unwrap_or_else(|why| panic!("{why}: {:?}", plain.list(Path::new("d/appendonlydir"))));
        let at = bytes.windows(6).position(|window| window == b"abcdef").unwrap();
        let mut damaged = bytes;
        damaged[at] ^= 1;
        let file = plain.create(path).unwrap();
        crate::log::storage::write_all(&*file, &damaged).unwrap();
        assert!(matches!(opened(&plain), Err(OpenError::Corrupt { .. })));
    }
}
