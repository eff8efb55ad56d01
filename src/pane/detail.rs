//! Whether a pane shows what is under its cursor in full.

/// The part of a pane that `Enter` opens and closes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Detail {
    #[default]
    Hidden,
    Shown,
}

impl Detail {
    /// Opens what is closed, and closes what is open.
    pub(crate) fn toggle(&mut self) {
        *self = match self {
            Self::Hidden => Self::Shown,
            Self::Shown => Self::Hidden,
        };
    }
}
