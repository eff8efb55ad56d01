//! What a screen, a script or the service may ask of the engine, and the replies: plain data.

mod ask;
mod catalogue;
mod range;

pub use ask::{BackfillAsk, EngineEvent, Estimate, ExportAsk, ExportFormat, Reply, Report, Request, Stored, Table};
pub use catalogue::{Catalogue, FormatFacts, KeyState, ProviderFacts, SourceKind};
pub use range::{days_back, instant, range};
