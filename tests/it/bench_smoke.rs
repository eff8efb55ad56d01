//! Every bench once, small: it still does all of its work, and so does its baseline.

#[path = "../../benches/cases/mod.rs"]
mod cases;

use cases::{BASELINES, CASES, Case, POSTGRES, Server, Size};

#[test]
fn every_bench_does_its_work() {
    let names: Vec<_> = CASES.iter().map(|make| does_its_work(make(Size::Small))).collect();
    assert!(names.iter().all(|name| !name.starts_with("PostgreSQL")), "{names:?}");
    are_told_apart(names);
}

#[test]
fn every_bench_on_a_server_does_its_work() {
    let Some(server) = Server::shared() else { return };
    let names: Vec<_> = POSTGRES.iter().map(|make| does_its_work(make(Size::Small, &server))).collect();
    assert!(names.iter().all(|name| name.starts_with("PostgreSQL")), "{names:?}");
    are_told_apart(names);
}

#[test]
fn the_baselines_are_printed() {
    let [sqlite, postgres] = BASELINES;
    assert!(sqlite.contains("pub fn upsert") && postgres.contains("pub async fn upsert"));
}

fn does_its_work(case: Case) -> &'static str {
    let Case { name, units, mut ours, bare, .. } = case;
    // Twice: what one run leaves behind must not spoil the next.
    for turn in 1..=2 {
        assert_eq!(ours().done, units, "{name}, turn {turn}");
    }
    if let Some(mut bare) = bare {
        for turn in 1..=2 {
            assert_eq!(bare().done, units, "the baseline of {name}, turn {turn}");
        }
    }
    assert!(units > 0, "{name} does nothing");
    name
}

fn are_told_apart(names: Vec<&str>) {
    let different: std::collections::BTreeSet<_> = names.iter().collect();
    assert_eq!(different.len(), names.len(), "{names:?}");
}
