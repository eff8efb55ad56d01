//! Every bench once, small: it still does all of its work, and so does its baseline.

#[path = "../../benches/cases/mod.rs"]
mod cases;

use cases::{BASELINES, CASES, Case, Size};

#[test]
fn every_bench_does_its_work() {
    for make in CASES {
        let Case { name, units, mut ours, bare, .. } = make(Size::Small);
        // Twice: what one run leaves behind must not spoil the next.
        for turn in 1..=2 {
            assert_eq!(ours().done, units, "{name}, turn {turn}");
        }
        if let Some(mut bare) = bare {
            assert_eq!(bare().done, units, "the baseline of {name}");
        }
        assert!(units > 0, "{name} does nothing");
    }
}

#[test]
fn names_are_told_apart_and_the_baselines_are_printed() {
    let mut names: Vec<_> = CASES.iter().map(|make| make(Size::Small).name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), CASES.len());
    assert!(BASELINES.contains("pub fn upsert"));
}
