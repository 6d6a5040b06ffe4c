//! Every bit of a small directory flipped, every file cut at every byte: what a start makes of it, what the offline check
//! says of it, and what a repair saves of it. Units are INCRs, so a state belongs to one sequence number only.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::crash_tests::{Model, OPTIONS, Run, header, open_on, state_at};
use super::rdb::{Decoder, Item};
use super::storage::{MemoryStorage, Storage, write_all};
use super::*;
use crate::value::{Text, Value};

const MANIFEST: &str = "d/appendonlydir/appendonly.aof.manifest";

type Files = BTreeMap<PathBuf, Vec<u8>>;

/// A directory with a history, a base, and two increments, ended in the gentle way; and the number of its last unit.
fn sample() -> (Files, Seq) {
    let memory = MemoryStorage::new();
    let opened = open_on(Arc::new(memory.clone())).unwrap();
    let log = opened.start(OPTIONS, &header(0)).unwrap();
    log.set_keep_history(KeepHistory { seconds: Some(1_000_000), bytes: None });
    let mut run = Run::new(log);
    run.write(3);
    run.sync();
    run.rewrite().unwrap();
    run.write(2);
    run.sync();
    // A rewrite that gets no further than its cut leaves a second increment.
    run.log.begin_rewrite().unwrap().cut(run.now_ms).unwrap();
    run.write(2);
    run.sync();
    run.write(1);
    run.log.shutdown(run.now_ms).unwrap();
    let last = run.units;
    drop(run);
    let dir = Path::new("d/appendonlydir");
    let names = memory.list(dir).unwrap();
    let files = names.into_iter().map(|name| dir.join(name));
    (files.map(|path| (path.clone(), memory.read_all(&path).unwrap())).collect(), last)
}

fn storage_of(files: &Files) -> MemoryStorage {
    let memory = MemoryStorage::new();
    for (path, bytes) in files {
        let file = memory.create(path).unwrap();
        write_all(&*file, bytes).unwrap();
        file.sync().unwrap();
    }
    memory.sync_dir(Path::new("d/appendonlydir")).unwrap();
    memory
}

fn apply(model: &mut Model, batch: &Batch<'_>) {
    for command in batch.units().flat_map(|unit| unit.commands()) {
        *model.entry(command.args[1].to_vec()).or_default() += 1;
    }
}

fn load_base(model: &mut Model, bytes: &[u8]) -> Result<(), String> {
    let text = |error: rdb::RdbError| error.to_string();
    let mut decoder = Decoder::new(bytes).map_err(text)?;
    while let Some(item) = decoder.next().map_err(text)? {
        if let Item::Entry { key, value: Value::Text(Text::Int(n)), .. } = item {
            model.insert(key.into_owned(), n);
        }
    }
    Ok(())
}

/// What a start makes of a directory: the state and its number, or why not.
fn start(memory: &MemoryStorage) -> Result<(Model, Seq), String> {
    let text = |error: OpenError| error.to_string();
    let mut opened = open_on(Arc::new(memory.clone())).map_err(text)?;
    let mut model = Model::new();
    if let Some(base) = &opened.base {
        load_base(&mut model, &memory.read_all(&base.path).unwrap())?;
    }
    let recovery = opened.replay(|batch| apply(&mut model, batch)).map_err(text)?;
    let last = recovery.last;
    opened.start(OPTIONS, &header(0)).map_err(text)?;
    Ok((model, last))
}

struct Tables(Model);

impl Loader for Tables {
    fn base(&mut self, _: &Path, _: BaseKind, bytes: &[u8]) -> Result<(), String> {
        load_base(&mut self.0, bytes)
    }

    fn batch(&mut self, batch: &Batch<'_>) -> Result<(), String> {
        apply(&mut self.0, batch);
        Ok(())
    }

    fn keys(&self) -> u64 {
        self.0.len() as u64
    }
}

/// The worst condition that the offline check finds: 0 clean, 1 torn, 2 damaged; and whether only history is damaged.
fn check(memory: &MemoryStorage) -> (u8, bool) {
    let Ok(Some(chain)) = Chain::find(Arc::new(memory.clone()), Path::new("d"), Names::default()) else {
        return (2, false);
    };
    let (mut worst, mut history_only) = (0, true);
    for file in chain.check(&mut Tables(Model::new())) {
        let condition = match file.condition {
            Condition::Clean => 0,
            Condition::Torn { .. } => 1,
            Condition::Damaged { .. } => 2,
        };
        worst = worst.max(condition);
        history_only &= condition == 0 || file.link.is_history;
    }
    (worst, worst > 0 && history_only)
}

fn copy(memory: &MemoryStorage, target: Target) -> Result<Copied, String> {
    let storage: Arc<dyn Storage> = Arc::new(memory.clone());
    let chain = Chain::find(storage, Path::new("d"), Names::default()).map_err(|error| error.to_string())?;
    chain.unwrap().copy(target, Path::new("n")).map_err(|error| error.to_string())
}

/// Starts on what was copied.
fn start_copy(memory: &MemoryStorage) -> (Model, Seq) {
    let mut files = Files::new();
    for name in memory.list(Path::new("n/appendonlydir")).unwrap() {
        let bytes = memory.read_all(&Path::new("n/appendonlydir").join(&name)).unwrap();
        files.insert(Path::new("d/appendonlydir").join(name), bytes);
    }
    start(&storage_of(&files)).unwrap()
}

#[test]
fn the_sample_is_whole() {
    let (files, last) = sample();
    let memory = storage_of(&files);
    assert_eq!(files.len(), 6, "{:?}", files.keys());
    assert_eq!(check(&memory), (0, false));
    assert_eq!(start(&memory), Ok((state_at(last), last)));
}

#[test]
fn a_flipped_bit_anywhere_is_refused_or_harms_nothing_and_the_check_says_which() {
    let (files, last) = sample();
    let (mut refused, mut harmless) = (0, 0);
    for (path, bytes) in &files {
        for bit in 0..bytes.len() * 8 {
            let mut damaged = files.clone();
            damaged.get_mut(path).unwrap()[bit / 8] ^= 1 << (bit % 8);
            let memory = storage_of(&damaged);
            let verdict = check(&memory);
            let what = format!("{}, bit {bit}: {verdict:?}", path.display());
            // Everything was known to be on the disk, so nothing may be missing.
            match start(&memory) {
                Ok(found) => {
                    assert_eq!(found, (state_at(last), last), "{what}");
                    assert!(verdict.0 < 2 || verdict.1, "{what}");
                    harmless += 1;
                }
                Err(why) => {
                    assert!(verdict.0 == 2 && !verdict.1, "{what}: {why}");
                    refused += 1;
                }
            }
        }
    }
    assert!(refused > harmless, "{refused} refused, {harmless} harmless");
}

#[test]
fn a_file_cut_anywhere_gives_a_state_that_there_was_and_none_below_what_other_files_know_of() {
    let (files, last) = sample();
    for (path, bytes) in &files {
        for len in 0..bytes.len() {
            let mut damaged = files.clone();
            damaged.get_mut(path).unwrap().truncate(len);
            let memory = storage_of(&damaged);
            let verdict = check(&memory);
            let what = format!("{} cut at {len}: {verdict:?}", path.display());
            let is_last = path.ends_with("appendonly.aof.3.incr.aof");
            match start(&memory) {
                Ok((model, found)) => {
                    assert_eq!(model, state_at(found), "{what}");
                    assert!(found == last || is_last, "{what}: {found}");
                    assert!(verdict.0 < 2 || verdict.1, "{what}");
                }
                Err(why) => assert!(verdict.0 == 2 && !verdict.1 && !is_last, "{what}: {why}"),
            }
        }
    }
}

#[test]
fn a_copy_holds_the_state_at_any_number_and_at_any_time() {
    let (files, last) = sample();
    for seq in 0..=last {
        let memory = storage_of(&files);
        let copied = copy(&memory, Target::Seq(seq)).unwrap();
        assert_eq!((copied.to, start_copy(&memory)), (seq, (state_at(seq), seq)));
        assert_eq!(copied.left_out.is_empty(), seq == last, "{copied:?}");
    }
    let memory = storage_of(&files);
    assert!(copy(&memory, Target::Seq(last + 1)).unwrap_err().contains("0 to"));
    // Each write of the sample is 400 ms after the one before.
    let mut found = Vec::new();
    for time in 1_699_999_990..1_700_000_010 {
        let memory = storage_of(&files);
        match copy(&memory, Target::Time(time)) {
            Ok(copied) => {
                assert_eq!(start_copy(&memory), (state_at(copied.to), copied.to), "{time}");
                found.push(copied.to);
            }
            Err(why) => assert!(why.contains("that far") && time < 1_700_000_000, "{time}: {why}"),
        }
    }
    assert!(found.is_sorted() && found.last() == Some(&last), "{found:?}");
    found.dedup();
    assert!(found.len() > 2, "{found:?}");
}

#[test]
fn a_repair_bridges_a_damaged_base_by_the_history_and_leaves_out_what_is_behind_damage() {
    let (files, last) = sample();
    let base = Path::new("d/appendonlydir/appendonly.aof.2.base.rdb");
    let mut damaged = files.clone();
    damaged.get_mut(base).unwrap()[20] ^= 1;
    let memory = storage_of(&damaged);
    let copied = copy(&memory, Target::Last).unwrap();
    assert_eq!(
        (start_copy(&memory), copied.base.as_deref()),
        ((state_at(last), last), Some("appendonly.aof.1.base.rdb"))
    );
    assert!(copied.left_out[0].contains("2.base.rdb, which is damaged"), "{copied:?}");

    let increment = Path::new("d/appendonlydir/appendonly.aof.2.incr.aof");
    let mut damaged = files.clone();
    let bytes = damaged.get_mut(increment).unwrap();
    let at = memchr::memmem::rfind(bytes, b"INCR").unwrap();
    bytes[at] ^= 1;
    let memory = storage_of(&damaged);
    assert!(start(&memory).is_err());
    let copied = copy(&memory, Target::Last).unwrap();
    assert!(copied.to > 0 && copied.to < last);
    assert_eq!(start_copy(&memory), (state_at(copied.to), copied.to));
    assert!(copied.left_out[0].contains("2.incr.aof from byte"), "{copied:?}");
}

#[test]
fn a_copy_goes_into_an_empty_directory_only_and_changes_nothing_in_the_old_one() {
    let (files, _) = sample();
    let memory = storage_of(&files);
    write_all(&*memory.create(Path::new("n/x")).unwrap(), b"x").unwrap();
    assert!(copy(&memory, Target::Last).unwrap_err().contains("holds files already"));
    memory.remove(Path::new("n/x")).unwrap();
    copy(&memory, Target::Last).unwrap();
    for (path, bytes) in &files {
        assert_eq!(&memory.read_all(path).unwrap(), bytes);
    }
}

#[test]
fn a_log_without_times_can_be_copied_by_number_only() {
    let memory = MemoryStorage::new();
    let opened = open_on(Arc::new(memory.clone())).unwrap();
    let options = LogOptions { timestamps: false, ..OPTIONS };
    let mut run = Run::new(opened.start(options, &header(0)).unwrap());
    run.write(2);
    run.log.shutdown(run.now_ms).unwrap();
    drop(run);
    assert!(copy(&memory, Target::Time(1_700_000_009)).unwrap_err().contains("carries no times"));
    assert_eq!(copy(&memory, Target::Seq(1)).unwrap().to, 1);
}

#[test]
fn with_aof_load_truncated_no_an_unfinished_end_is_refused_and_nothing_is_cut() {
    let (mut files, _) = sample();
    let path = Path::new("d/appendonlydir/appendonly.aof.3.incr.aof");
    files.get_mut(path).unwrap().extend_from_slice(b"#G\r\n*2\r\n");
    let memory = storage_of(&files);
    let mut opened = open_on(Arc::new(memory.clone())).unwrap();
    opened.refuse_torn();
    let error = opened.replay(|_| ()).unwrap_err();
    assert!(matches!(error, OpenError::Torn { .. }), "{error}");
    drop(opened);
    assert_eq!(&memory.read_all(path).unwrap(), &files[path]);
    assert_eq!(check(&memory), (1, false));
    assert!(start(&memory).is_ok());
    assert!(memory.exists(Path::new(MANIFEST)).unwrap());
}
