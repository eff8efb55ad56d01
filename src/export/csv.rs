//! Comma-separated values, RFC 4180.

use std::io;

use crate::export::contract::{Format, FormatSpec, Sink, Value};
use crate::request::ExportFormat;

pub const SPEC: FormatSpec = FormatSpec {
    format: ExportFormat::Csv,
    sentence: "Comma-separated values with a header line (RFC 4180).",
    new: |columns| Box::new(Csv { columns }),
};

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
    let mut writer = csv::Writer::from_writer(sink);
    writer.write_record(cells)?;
    writer.flush()
}
