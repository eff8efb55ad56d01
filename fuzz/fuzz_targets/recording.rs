//! Recordings: the lines of our own, and those of the form `epoch_seconds: frame`, compressed or not.

#![no_main]

use std::io;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use openbell::provider::net::Reader;
use openbell_fuzz::{Function, feed, law};

const FUNCTIONS: [Function; 2] = [|bytes| read(bytes, Reader::open), |bytes| read(bytes, |path| Reader::open_raw(path, "kraken"))];

/// How a compressed file begins.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// More lines than a file has that is not compressed; one that is may hold any number.
const LINES: usize = 100_000;

/// A reader wants a file: one a process, in the folder that `TMPDIR` names.
static FILE: LazyLock<PathBuf> = LazyLock::new(|| std::env::temp_dir().join(format!("openbell-fuzz-{}", std::process::id())));

fuzz_target!(|input: &[u8]| feed(&FUNCTIONS, input));

/// Each line is read or has a problem, and their numbers rise.
fn read(bytes: &[u8], open: impl Fn(&Path) -> io::Result<Reader>) {
    std::fs::write(&*FILE, bytes).expect("the temporary folder takes a file");
    let reader = open(FILE.as_path()).expect("what was written can be opened");
    let (mut lines, mut last) = (0, 0);
    for line in reader.take(LINES) {
        let number = match line {
            Ok((number, entry)) => {
                let _ = entry.at();
                number
            }
            Err(problem) => {
                law::words(&problem.to_string());
                problem.line
            }
        };
        assert!(number > last, "line {number} comes after line {last}");
        (lines, last) = (lines + 1, number);
    }
    if !bytes.starts_with(&GZIP) {
        law::count(bytes, lines);
    }
}
