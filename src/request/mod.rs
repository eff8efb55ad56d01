//! What a screen, a script or the service may ask of the engine, and the replies: plain data.

mod ask;
mod catalogue;
mod range;

pub use ask::{BackfillAsk, EngineEvent, Estimate, ExportAsk, ExportFormat, Reply, Request, Table};
pub use catalogue::{Catalogue, FormatFacts, ProviderFacts, SourceKind};
pub use range::{days_back, instant, range};
