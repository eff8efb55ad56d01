//! Comma-separated values, RFC 4180.

use std::io;

use crate::export::contract::{Format, FormatSpec, Sink, Value};
use crate::request::ExportFormat;

pub const SPEC: FormatSpec = FormatSpec {
    format: ExportFormat::Csv,
    sentence: "Comma-separated values with a header line (RFC 4180).",
    new: |columns| Box::new(Csv { columns }),
};

/// What most rows fit in.
const ROW: usize = 256;

struct Csv {
    columns: &'static [&'static str],
}

impl Format for Csv {
    fn begin(&mut self, sink: Sink<'_>) -> io::Result<()> {
        write(sink, self.columns.iter().map(ToString::to_string))
    }

    fn row(&mut self, sink: Sink<'_>, values: &[Value]) -> io::Result<()> {
        write(sink, values.iter().map(Value::text))
    }
}

fn write(sink: Sink<'_>, cells: impl Iterator<Item = String>) -> io::Result<()> {
    // Through memory: the library's writer flushes what it writes to, and the sink has a buffer of its own.
    let mut writer = csv::WriterBuilder::new().buffer_capacity(ROW).from_writer(Vec::with_capacity(ROW));
    writer.write_record(cells)?;
    let row = writer.into_inner().map_err(csv::IntoInnerError::into_error)?;
    sink.write_all(&row)
}
