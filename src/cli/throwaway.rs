//! A folder of our own that is gone at the end.

use std::fs::DirBuilder;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A new folder that nobody else can look into.
pub(crate) struct Throwaway(PathBuf);

impl Throwaway {
    pub(crate) fn new() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("openbell-{}-{:08x}", std::process::id(), fastrand::u32(..)));
        let mut builder = DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        // Not one that is there already: somebody else may have made it.
        builder.create(&path).with_context(|| format!("make {}", path.display()))?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Throwaway {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
