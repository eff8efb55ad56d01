//! JSON lines: one object a line.

use std::io;

use serde::Serializer;
use serde::ser::SerializeMap;

use crate::export::contract::{Format, FormatSpec, Sink, Value};
use crate::request::ExportFormat;

pub const SPEC: FormatSpec = FormatSpec {
    format: ExportFormat::Jsonl,
    sentence: "One JSON object a line (https://jsonlines.org).",
    new: |columns| Box::new(Jsonl { columns }),
};

struct Jsonl {
    columns: &'static [&'static str],
}

impl Format for Jsonl {
    fn begin(&mut self, _: Sink<'_>) -> io::Result<()> {
        Ok(())
    }

    fn row(&mut self, sink: Sink<'_>, values: &[Value]) -> io::Result<()> {
        let mut serializer = serde_json::Serializer::new(&mut *sink);
        let mut map = serializer.serialize_map(Some(values.len()))?;
        for (column, value) in self.columns.iter().zip(values) {
            map.serialize_entry(column, &value.json())?;
        }
        map.end()?;
        sink.write_all(b"\n")
    }
}
