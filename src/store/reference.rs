//! Corporate actions and reports, cell by cell: the same for every engine.

use crate::market::{ActionKind, CorporateAction, Fundamental, Period, Statement, Timestamp};

/// The cells of a corporate action that its kind fills.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ActionCells {
    pub(crate) numerator: Option<f64>,
    pub(crate) denominator: Option<f64>,
    pub(crate) amount: Option<f64>,
    pub(crate) currency: Option<String>,
}

impl ActionCells {
    pub(crate) fn of(action: &CorporateAction) -> Self {
        match &action.kind {
            ActionKind::Split { numerator, denominator } => {
                Self { numerator: Some(*numerator), denominator: Some(*denominator), ..Self::default() }
            }
            ActionKind::Dividend { amount, currency } => Self { amount: Some(*amount), currency: currency.clone(), ..Self::default() },
        }
    }

    /// The action; `None` for a kind, or cells, that this version does not know.
    pub(crate) fn action(self, kind: &str, ex_date: Timestamp) -> Option<CorporateAction> {
        let kind = match kind {
            "split" => ActionKind::Split { numerator: self.numerator?, denominator: self.denominator? },
            "dividend" => ActionKind::Dividend { amount: self.amount?, currency: self.currency },
            _ => return None,
        };
        Some(CorporateAction { ex_date: ex_date.date(), kind })
    }
}

/// The figures of an action that must be numbers.
pub(crate) fn figures(kind: &ActionKind) -> [f64; 2] {
    match kind {
        ActionKind::Split { numerator, denominator } => [*numerator, *denominator],
        ActionKind::Dividend { amount, .. } => [*amount, 0.0],
    }
}

/// What a source said of an action, as JSON; a figure that is no number is written as text.
pub(crate) fn said(action: &CorporateAction) -> String {
    let figure = |x: f64| if x.is_finite() { serde_json::json!(x) } else { serde_json::json!(x.to_string()) };
    let (kind, ex_date) = (action.kind.name(), action.ex_date.to_string());
    let fields = match &action.kind {
        ActionKind::Split { numerator, denominator } => {
            serde_json::json!({ "kind": kind, "ex_date": ex_date, "numerator": figure(*numerator), "denominator": figure(*denominator) })
        }
        ActionKind::Dividend { amount, currency } => {
            serde_json::json!({ "kind": kind, "ex_date": ex_date, "amount": figure(*amount), "currency": currency })
        }
    };
    fields.to_string()
}

/// The fields of a report as JSON.
pub(crate) fn fields_text(fundamental: &Fundamental) -> String {
    serde_json::to_string(&fundamental.fields).expect("JSON can be written")
}

/// A report of its cells; `None` for a statement or a period that this version does not know.
pub(crate) fn fundamental(
    statement: &str,
    period: &str,
    fiscal_date: Timestamp,
    fields: &str,
) -> Result<Option<Fundamental>, serde_json::Error> {
    let (Ok(statement), Ok(period)) = (statement.parse::<Statement>(), period.parse::<Period>()) else { return Ok(None) };
    Ok(Some(Fundamental { statement, period, fiscal_date: fiscal_date.date(), fields: serde_json::from_str(fields)? }))
}
