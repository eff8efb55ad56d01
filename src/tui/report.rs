//! What a company reported, for people: a few figures in short, and every field as its source names it.

use serde_json::{Map, Value};
use unicode_width::UnicodeWidthStr;

use crate::market::{AssetClass, Fundamental, Period, Statement, Symbol, clean};
use crate::request::Report;
use crate::widget::{fixed, quantity};

/// What the short figures stand under.
pub(crate) const HEADING: &str = "fundamentals";

/// The names of FMP, Alpha Vantage and Massive.
const MARKET_CAP: &[&str] = &["marketCap", "mktCap", "MarketCapitalization", "market_cap"];
/// The name of Finnhub, which counts millions: "Company Profile 2", <https://finnhub.io/docs/api>.
const MARKET_CAP_IN_MILLIONS: &str = "marketCapitalization";
const REVENUE: &[&str] = &["revenue", "totalRevenue", "revenues"];
const NET_INCOME: &[&str] = &["netIncome", "net_income_loss"];
const EARNINGS: &[&str] = &["eps", "epsDiluted", "epsdiluted", "basic_earnings_per_share"];
/// Of an overview, over the last twelve months: Alpha Vantage has none in its statements.
const TRAILING_EARNINGS: &[&str] = &["EPS"];
const CURRENCY: &[&str] = &["reportedCurrency", "currency", "Currency", "currency_name"];

/// A longer text is shown in part: `openbell fundamentals` prints it.
const LONG: usize = 40;

/// A line of the list of all fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// Which report the fields below are of.
    Report(String),
    Field {
        name: String,
        value: String,
    },
}

/// The newest figures over lines of `width` columns, the first of which begins with [`HEADING`]; each figure is whole.
pub(crate) fn short(reports: &[Report], symbol: &Symbol, class: AssetClass, width: usize) -> Vec<String> {
    let told = if reports.is_empty() { how_to_get(symbol, class) } else { figures(reports) };
    if told.is_empty() { Vec::new() } else { laid(std::iter::once(HEADING.to_owned()).chain(told), width) }
}

/// Every field of these reports.
pub(crate) fn entries(reports: &[Report]) -> Vec<Entry> {
    let of = |report: &Report| {
        let fields = report.fundamental.fields.iter();
        let fields = fields.map(|(name, value)| Entry::Field { name: clean(name).into_owned(), value: shown(value) });
        std::iter::once(Entry::Report(whose(report))).chain(fields).collect::<Vec<_>>()
    };
    reports.iter().flat_map(of).collect()
}

/// Only companies and funds report.
fn how_to_get(symbol: &Symbol, class: AssetClass) -> Vec<String> {
    match class {
        AssetClass::Equity | AssetClass::Etf => vec![format!("none are stored: openbell fundamentals {symbol}")],
        AssetClass::Index | AssetClass::Option | AssetClass::Future | AssetClass::Fx | AssetClass::Crypto => Vec::new(),
    }
}

/// What is known of market value, revenue, net income and earnings per share, and whose reports these are.
fn figures(reports: &[Report]) -> Vec<String> {
    let year = reports.iter().find(|report| is_year(report) && !results(&report.fundamental.fields).is_empty());
    let overview = reports.iter().find(|report| is_overview(report) && market_cap(&report.fundamental.fields).is_some());
    let mut told = Vec::new();
    if let Some(Report { fundamental, .. }) = overview {
        told.extend(market_cap(&fundamental.fields).map(|cap| format!("market cap {}", quantity(cap))));
    }
    if let Some(Report { fundamental, .. }) = year {
        told.extend(results(&fundamental.fields));
    }
    if let (Some(Report { fundamental, .. }), None) = (overview, year.and_then(|report| named(&report.fundamental.fields, EARNINGS))) {
        told.extend(named(&fundamental.fields, TRAILING_EARNINGS).map(|earnings| format!("eps ttm {}", fixed(earnings, 2))));
    }
    if told.is_empty() {
        return vec!["f lists what is stored".to_owned()];
    }
    told.extend(year.into_iter().chain(overview).map(whose_in_short));
    told
}

fn is_overview(report: &Report) -> bool {
    report.fundamental.statement == Statement::Overview
}

fn is_year(report: &Report) -> bool {
    report.fundamental.statement == Statement::Income && report.fundamental.period == Period::Annual
}

/// Nobody is worth nothing: a 0 stands for what is not known.
fn market_cap(fields: &Map<String, Value>) -> Option<f64> {
    let millions = || Some(number(fields.get(MARKET_CAP_IN_MILLIONS)?)? * 1e6);
    named(fields, MARKET_CAP).or_else(millions).filter(|cap| *cap > 0.0)
}

/// What is known of what a year came to.
fn results(fields: &Map<String, Value>) -> Vec<String> {
    let revenue = named(fields, REVENUE).map(|revenue| format!("revenue {}", quantity(revenue)));
    let income = named(fields, NET_INCOME).map(|income| format!("net income {}", quantity(income)));
    let earnings = named(fields, EARNINGS).map(|earnings| format!("eps {}", fixed(earnings, 2)));
    [revenue, income, earnings].into_iter().flatten().collect()
}

/// The first of these fields that holds a number.
fn named(fields: &Map<String, Value>, names: &[&str]) -> Option<f64> {
    names.iter().find_map(|name| number(fields.get(*name)?))
}

/// Some write numbers as texts, `None` and `-` among them; some put them inside an object.
fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Object(fields) => fields.get("value").and_then(Value::as_f64),
        Value::Null | Value::Bool(_) | Value::Array(_) => None,
    };
    number.filter(|number: &f64| number.is_finite())
}

/// Two reports need not be in one currency, nor in that of the price.
fn currency(of: &Fundamental) -> Option<String> {
    let text = CURRENCY.iter().find_map(|name| of.fields.get(*name)?.as_str())?.trim();
    let is_code = text.len() == 3 && text.chars().all(|c| c.is_ascii_alphabetic());
    is_code.then(|| text.to_ascii_uppercase())
}

fn whose_in_short(Report { source, fundamental }: &Report) -> String {
    let since = if fundamental.statement == Statement::Overview { "as of" } else { "year to" };
    let money = currency(fundamental).map_or_else(String::new, |code| format!(" in {code}"));
    format!("{since} {} from {}{money}", fundamental.fiscal_date, clean(source.as_str()))
}

fn whose(Report { source, fundamental }: &Report) -> String {
    let Fundamental { statement, period, fiscal_date, .. } = fundamental;
    let source = clean(source.as_str());
    match period {
        Period::Latest => format!("{statement} of {fiscal_date} from {source}"),
        Period::Annual | Period::Quarter => format!("{statement}, {period} to {fiscal_date}, from {source}"),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => match number.as_f64() {
            Some(whole) if whole.fract() == 0.0 && whole.abs() < 1e15 => fixed(whole, 0),
            Some(_) | None => number.to_string(),
        },
        Value::String(text) => shortened(&clean(text)),
        Value::Array(_) | Value::Object(_) => shortened(&clean(&value.to_string())),
    }
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= LONG { text.to_owned() } else { text.chars().take(LONG - 1).chain(std::iter::once('…')).collect() }
}

/// Pieces over as many lines as they need; one that is wider than a line is left out.
fn laid(pieces: impl IntoIterator<Item = String>, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for piece in pieces.into_iter().filter(|piece| piece.width() <= width) {
        match lines.last_mut().filter(|line| line.width() + 2 + piece.width() <= width) {
            Some(line) => {
                line.push_str("  ");
                line.push_str(&piece);
            }
            None => lines.push(piece),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::Source;

    fn report(source: &str, statement: Statement, period: Period, fiscal_date: &str, fields: &str) -> Report {
        let fields = serde_json::from_str(fields).unwrap();
        let fundamental = Fundamental { statement, period, fiscal_date: fiscal_date.parse().unwrap(), fields };
        Report { source: Source::new(source), fundamental }
    }

    fn overview(source: &str, fields: &str) -> Report {
        report(source, Statement::Overview, Period::Latest, "2026-11-25", fields)
    }

    fn income(source: &str, fields: &str) -> Report {
        report(source, Statement::Income, Period::Annual, "2026-09-26", fields)
    }

    fn told(reports: &[Report], width: usize) -> String {
        short(reports, &"AAPL".parse().unwrap(), AssetClass::Equity, width).join("\n")
    }

    #[test]
    fn the_figures_of_each_source_are_found_under_its_names() {
        let (year, av) = ("revenue 391B  net income 93.7B", "as of 2026-11-25 from alpha_vantage in USD");
        for (overview, income, expected) in [
            (
                overview("fmp", r#"{"marketCap":3418000000000,"currency":"USD"}"#),
                income("fmp", r#"{"revenue":391035000000,"netIncome":93736000000,"eps":6.11,"reportedCurrency":"USD"}"#),
                format!("market cap 3.42T  {year}  eps 6.11  year to 2026-09-26 from fmp in USD  as of 2026-11-25 from fmp in USD"),
            ),
            (
                overview("alpha_vantage", r#"{"MarketCapitalization":"3418000000000","EPS":"6.75","Currency":"USD"}"#),
                income("alpha_vantage", r#"{"totalRevenue":"391035000000","netIncome":"93736000000","reportedCurrency":"USD"}"#),
                format!("market cap 3.42T  {year}  eps ttm 6.75  year to 2026-09-26 from alpha_vantage in USD  {av}"),
            ),
            (
                overview("polygon", r#"{"market_cap":3418000000000.5,"currency_name":"usd"}"#),
                income("polygon", r#"{"revenues":{"value":391035000000},"net_income_loss":{"value":93736000000}}"#),
                format!("market cap 3.42T  {year}  year to 2026-09-26 from polygon  as of 2026-11-25 from polygon in USD"),
            ),
            (
                overview("finnhub", r#"{"marketCapitalization":3418000.25,"currency":"USD"}"#),
                income("fmp", r#"{"revenue":391035000000,"netIncome":93736000000}"#),
                format!("market cap 3.42T  {year}  year to 2026-09-26 from fmp  as of 2026-11-25 from finnhub in USD"),
            ),
        ] {
            assert_eq!(told(&[overview, income], 400), format!("fundamentals  {expected}"));
        }
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let quarter = report("fmp", Statement::Income, Period::Quarter, "2026-09-26", r#"{"revenue":1}"#);
        let nothing = overview("alpha_vantage", r#"{"MarketCapitalization":"None"}"#);
        let zero = overview("fmp", r#"{"marketCap":0}"#);
        assert_eq!(told(&[quarter, nothing, zero], 80), "fundamentals  f lists what is stored");
        let loss = income("alpha_vantage", r#"{"totalRevenue":"-","netIncome":"-1234500","eps":"NaN"}"#);
        assert_eq!(told(&[loss], 80), "fundamentals  net income -1.23M  year to 2026-09-26 from alpha_vantage");
    }

    #[test]
    fn without_reports_it_says_how_to_get_them_where_there_are_any() {
        assert_eq!(told(&[], 80), "fundamentals  none are stored: openbell fundamentals AAPL");
        assert!(short(&[], &"BTC-USD".parse().unwrap(), AssetClass::Crypto, 80).is_empty());
    }

    #[test]
    fn figures_flow_over_lines_and_are_never_cut() {
        let reports = [
            overview("fmp", r#"{"marketCap":3418000000000}"#),
            income("fmp", r#"{"revenue":391035000000,"netIncome":93736000000,"eps":6.11}"#),
        ];
        let whole: Vec<String> = figures(&reports);
        for width in 0..120 {
            let drawn = told(&reports, width);
            assert!(drawn.lines().all(|line| line.width() <= width), "{drawn}");
            for piece in drawn.lines().flat_map(|line| line.split("  ")) {
                assert!(piece == HEADING || whole.iter().any(|whole| whole == piece), "'{piece}' at {width}");
            }
        }
        assert_eq!(told(&reports, 34).lines().next(), Some("fundamentals  market cap 3.42T"));
    }

    #[test]
    fn every_field_is_listed_below_its_report() {
        let long = "x".repeat(60);
        let fields = format!(r#"{{"a":1234567,"b":0.5,"c":null,"d":"{long}","e":true,"f":[1,2],"g":"12\u001b[2J"}}"#);
        let listed = entries(&[overview("fmp", "{}"), income("fmp", &fields)]);
        let field = |name: &str, value: &str| Entry::Field { name: name.to_owned(), value: value.to_owned() };
        let expected = [
            Entry::Report("overview of 2026-11-25 from fmp".to_owned()),
            Entry::Report("income, annual to 2026-09-26, from fmp".to_owned()),
            field("a", "1,234,567"),
            field("b", "0.5"),
            field("c", "-"),
            field("d", &format!("{}…", "x".repeat(39))),
            field("e", "true"),
            field("f", "[1,2]"),
            field("g", "12[2J"),
        ];
        assert_eq!(listed, expected);
    }
}
