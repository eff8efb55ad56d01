//! Small disks that fill up.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file system of its own in memory; it goes with this value.
pub struct SmallDisk {
    pub path: PathBuf,
}

impl SmallDisk {
    /// One of this size, such as `256k`, at a new folder; `None`, with a line that says what is left out, where none may be mounted.
    pub fn at(path: PathBuf, size: &str) -> Option<Self> {
        fs::create_dir(&path).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(&path).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self { path });
        }
        println!("left out: a disk that is full: no small file system can be mounted here");
        None
    }

    /// Takes what room is left, in a file of this name.
    pub fn fill(&self, name: &str) {
        fill(&self.path.join(name));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.path).status();
    }
}

/// Takes what room is left.
fn fill(path: &Path) {
    let mut file = fs::File::create(path).unwrap();
    for size in [65_536, 4_096, 1] {
        while file.write_all(&vec![b'x'; size]).is_ok() {}
    }
}
