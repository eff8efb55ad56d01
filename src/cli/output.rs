//! Data on stdout: rows as a table, CSV or JSON.

use std::io::{self, BufWriter, StdoutLock, Write, stdout};

use clap::ValueEnum;
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};

use crate::export::{FORMATS, Format, Value};
use crate::request::ExportFormat;

/// How rows are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum RowFormat {
    /// For people.
    #[default]
    Table,
    /// Comma-separated values with a header line.
    Csv,
    /// One array of objects.
    Json,
}

/// The option of every command that prints rows.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct FormatArg {
    /// How rows are printed.
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: RowFormat,
}

/// Rows on their way to stdout.
pub(crate) struct Rows {
    columns: &'static [&'static str],
    /// Those that a table shows, and their titles, where it does not show all.
    shown: Option<&'static [(&'static str, &'static str)]>,
    out: BufWriter<StdoutLock<'static>>,
    kind: Kind,
}

enum Kind {
    Table(Box<Table>),
    Csv(Box<dyn Format>),
    Json { any: bool },
}

/// Writes a text; a reader that left is told apart by its error.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut out = stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

impl Rows {
    pub(crate) fn begin(columns: &'static [&'static str], format: RowFormat) -> io::Result<Self> {
        Self::begin_with(columns, None, format)
    }

    /// The same, with a table of only some of the columns.
    pub(crate) fn begin_with(
        columns: &'static [&'static str],
        shown: Option<&'static [(&'static str, &'static str)]>,
        format: RowFormat,
    ) -> io::Result<Self> {
        let mut out = BufWriter::new(stdout().lock());
        let kind = match format {
            RowFormat::Table => {
                let mut table = Table::new();
                table.load_style(NOTHING);
                match shown {
                    Some(shown) => table.set_header(shown.iter().map(|(_, title)| title)),
                    None => table.set_header(columns.iter()),
                };
                Kind::Table(Box::new(table))
            }
            RowFormat::Csv => {
                let spec = FORMATS.iter().find(|spec| spec.format == ExportFormat::Csv).expect("CSV is a format");
                let mut format = (spec.new)(columns);
                format.begin(&mut out)?;
                Kind::Csv(format)
            }
            RowFormat::Json => {
                out.write_all(b"[")?;
                Kind::Json { any: false }
            }
        };
        Ok(Self { columns, shown, out, kind })
    }

    pub(crate) fn row(&mut self, values: &[Value]) -> io::Result<()> {
        match &mut self.kind {
            Kind::Table(table) => {
                let cell = |value: &Value| {
                    let number = matches!(value, Value::Number(_) | Value::Whole(_));
                    comfy_table::Cell::new(value.text()).set_alignment(if number { CellAlignment::Right } else { CellAlignment::Left })
                };
                let shown = self
                    .columns
                    .iter()
                    .zip(values)
                    .filter(|(column, _)| self.shown.is_none_or(|shown| shown.iter().any(|(name, _)| name == *column)));
                table.add_row(shown.map(|(_, value)| cell(value)));
                Ok(())
            }
            Kind::Csv(format) => format.row(&mut self.out, values),
            Kind::Json { any } => {
                self.out.write_all(if std::mem::replace(any, true) { b",\n" } else { b"\n" })?;
                let pairs = self.columns.iter().zip(values).map(|(column, value)| ((*column).to_owned(), value.json()));
                serde_json::to_writer(&mut self.out, &pairs.collect::<serde_json::Map<_, _>>())?;
                Ok(())
            }
        }
    }

    pub(crate) fn end(mut self) -> io::Result<()> {
        match self.kind {
            Kind::Table(table) => {
                for line in table.lines() {
                    writeln!(self.out, "{}", line.trim())?;
                }
            }
            Kind::Csv(_) => {}
            Kind::Json { .. } => self.out.write_all(b"\n]\n")?,
        }
        self.out.flush()
    }
}
