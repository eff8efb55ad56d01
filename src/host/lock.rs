//! The engine's lock: one engine a store.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Held while an engine writes to a store; the system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub struct EngineLock {
    file: File,
}

/// Why the lock was not had.
#[derive(Debug, Error)]
pub enum LockError {
    #[error("another openbell (pid {pid}) is already recording into {store}: use it, or stop it first")]
    Held { pid: String, store: String },
    #[error("cannot lock {path}")]
    Io {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

impl EngineLock {
    /// Takes the lock of the store in `store`; a file left by an engine that died is no obstacle.
    pub fn take(store: &Path) -> Result<Self, LockError> {
        let path = store.with_added_extension("lock");
        let io = |source| LockError::Io { path: path.clone(), source };
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                let _ = file.read_to_string(&mut pid);
                return Err(LockError::Held { pid: pid.trim().to_owned(), store: store.display().to_string() });
            }
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0))).and_then(|_| writeln!(file, "{}", std::process::id())).map_err(io)?;
        Ok(Self { file })
    }
}

impl Drop for EngineLock {
    /// Empties the file, so that nobody reads a pid that means nothing.
    fn drop(&mut self) {
        let _ = self.file.set_len(0);
    }
}
