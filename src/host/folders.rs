//! Where files belong on this platform.

use std::path::{Path, PathBuf};

use directories::{BaseDirs, ProjectDirs};

/// The platform's folders for this program.
#[derive(Clone, Debug)]
pub struct Folders {
    pub config: PathBuf,
    pub data: PathBuf,
    pub state: PathBuf,
}

impl Folders {
    /// The folders of the person who runs this; `None` without a home folder.
    #[must_use]
    pub fn of_user() -> Option<Self> {
        let dirs = ProjectDirs::from("", "", "openbell")?;
        let data = dirs.data_dir().to_owned();
        let state = dirs.state_dir().map_or_else(|| data.join("state"), Path::to_path_buf);
        Some(Self { config: dirs.config_dir().to_owned(), data, state })
    }

    /// The config file.
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.config.join("config.toml")
    }

    /// The default store.
    #[must_use]
    pub fn store_file(&self) -> PathBuf {
        self.data.join("openbell.db")
    }
}

/// Replaces a leading `~` by the home folder.
#[must_use]
pub fn expand_home(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), BaseDirs::new()) {
        (Ok(rest), Some(dirs)) => dirs.home_dir().join(rest),
        _ => path.to_owned(),
    }
}

/// Whether only its owner can read a file.
#[cfg(unix)]
#[must_use]
#[expect(clippy::verbose_bit_mask, reason = "as chmod writes it")]
pub fn is_private(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o077 == 0)
}

/// Whether only its owner can read a file: not told here, so nothing secret is taken from it.
#[cfg(not(unix))]
#[must_use]
pub fn is_private(_path: &Path) -> bool {
    false
}
