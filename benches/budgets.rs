//! `cargo bench --bench budgets [-- NAME]`: every case with criterion, ours and the baseline side by side.
#![allow(clippy::print_stderr, reason = "what was left out is said")]

mod cases;
#[path = "../tests/it/postgres.rs"]
mod postgres;

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkGroup, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};

use cases::{CASES, Case, POSTGRES, Server, Size};

fn all(criterion: &mut Criterion) {
    for make in CASES {
        measure(criterion, make(Size::Full));
    }
    match Server::start() {
        Ok(server) => {
            for make in POSTGRES {
                measure(criterion, make(Size::Full, &server));
            }
        }
        Err(why) => eprintln!("The PostgreSQL cases are left out: {why}."),
    }
}

fn measure(criterion: &mut Criterion, case: Case) {
    let Case { name, units, mut ours, bare, .. } = case;
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(units)).sampling_mode(SamplingMode::Flat).sample_size(10);
    group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    add(&mut group, "ours", &mut *ours);
    if let Some(mut bare) = bare {
        add(&mut group, "bare", &mut *bare);
    }
    group.finish();
}

fn add(group: &mut BenchmarkGroup<'_, criterion::measurement::WallTime>, name: &str, run: &mut dyn FnMut() -> cases::Ran) {
    group.bench_function(name, |bencher| bencher.iter_custom(|times| (0..times).map(|_| black_box(run()).took).sum()));
}

criterion_group!(benches, all);
criterion_main!(benches);
