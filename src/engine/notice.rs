//! What of the writer's word has to reach a person: the store goes away and comes back, the spool fills up.

use crate::quality::Severity;
use crate::snapshot::WriterView;

/// What turned for the worse or the better since the writer spoke last: each turn is told once.
pub(crate) fn turns(before: &WriterView, after: &WriterView) -> Vec<(Severity, String)> {
    let mut told = Vec::new();
    match (&before.error, &after.error) {
        (None, Some(error)) => told.push((Severity::Warning, format!("the store takes no rows: {error}"))),
        (Some(_), None) => told.push((Severity::Info, "the store takes rows again".to_owned())),
        (None, None) | (Some(_), Some(_)) => {}
    }
    match (before.spool_full, after.spool_full) {
        (false, true) => told.push((Severity::Error, FULL.to_owned())),
        (true, false) => told.push((Severity::Info, "the spool has room again".to_owned())),
        (false, false) | (true, true) => {}
    }
    told
}

const FULL: &str = "the spool is full: rows wait in memory, and what finds no room there is lost and counted";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_turn_is_told_once() {
        let well = WriterView::default();
        let away = WriterView { error: Some("cannot reach postgres://desk/bars".to_owned()), attempt: 1, ..WriterView::default() };
        let full = WriterView { spool_full: true, attempt: 2, ..away.clone() };
        let check = |before: &WriterView, after: &WriterView, expected: &[(Severity, &str)]| {
            let told = turns(before, after);
            let told: Vec<_> = told.iter().map(|(severity, text)| (*severity, text.as_str())).collect();
            assert_eq!(told, expected);
        };
        check(&well, &well, &[]);
        check(&well, &away, &[(Severity::Warning, "the store takes no rows: cannot reach postgres://desk/bars")]);
        check(&away, &WriterView { attempt: 2, ..away.clone() }, &[]);
        check(&away, &full, &[(Severity::Error, FULL)]);
        check(&full, &full, &[]);
        check(&full, &well, &[(Severity::Info, "the store takes rows again"), (Severity::Info, "the spool has room again")]);
    }
}
