//! `cargo bench --bench table`: the table of BENCHMARKS.md, or with `-- corrected` the rows with that word. Ours and the
//! baseline take turns; the medians are told.
#![allow(clippy::print_stdout, reason = "a table is printed")]

mod cases;
#[path = "../tests/it/postgres.rs"]
mod postgres;

use std::time::Duration;

use cases::{BASELINES, Budget, CASES, Case, POSTGRES, Ran, Server, Size};

/// How often each way is timed.
const TURNS: usize = 5;

/// What the turns of one case came to.
struct Figures {
    ours: Duration,
    bare: Option<Duration>,
    /// Our rate over the baseline's, turn by turn.
    ratio: Option<f64>,
}

fn main() {
    // Without cargo's word that this is a bench it is a test: everything once, small.
    let size = if std::env::args().any(|arg| arg == "--bench") { Size::Full } else { Size::Small };
    println!("{}\n", machine());
    println!("| what | ours | baseline | ratio | budget | met |");
    println!("| --- | ---: | ---: | ---: | ---: | --- |");
    for make in CASES {
        show(&mut make(size), size.of(1, TURNS));
    }
    let server = Server::start();
    if let Ok(server) = &server {
        for make in POSTGRES {
            show(&mut make(size, server), size.of(1, TURNS));
        }
    }
    println!("\nMedian of {TURNS} alternating turns; the ratio is our rate over the baseline's.");
    match &server {
        Ok(server) => println!("Both ways reach the server by TCP on the same machine: {}.", server.settings),
        Err(why) => println!("The PostgreSQL cases were left out: {why}."),
    }
    println!("\nThe baselines:\n\n```rust\n{}```", BASELINES.join("\n"));
}

/// Cases whose name holds what was typed; all when nothing was.
fn wanted(case: &Case) -> bool {
    std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).all(|part| case.name.contains(&part))
}

fn show(case: &mut Case, turns: usize) {
    if !wanted(case) {
        return;
    }
    let figures = measure(case, turns);
    println!("{}", row(case, &figures));
}

fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map_or("unknown processor", |(_, name)| name);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{model}, {cores} cores, {} {}.", std::env::consts::OS, std::env::consts::ARCH)
}

fn measure(case: &mut Case, turns: usize) -> Figures {
    check(case.name, case.units, (case.ours)());
    if let Some(bare) = &mut case.bare {
        check(case.name, case.units, bare());
    }
    let (mut ours, mut bares, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..turns {
        let took = (case.ours)().took;
        ours.push(took);
        if let Some(bare) = &mut case.bare {
            let bare = bare().took;
            bares.push(bare);
            ratios.push(bare.as_secs_f64() / took.as_secs_f64());
        }
    }
    ratios.sort_by(f64::total_cmp);
    Figures { ours: median(ours).expect("there was a turn"), bare: median(bares), ratio: ratios.get(ratios.len() / 2).copied() }
}

/// A figure of work that was not done is none.
fn check(name: &str, units: u64, ran: Ran) {
    assert_eq!(ran.done, units, "{name}: not all of it came out");
}

fn median(mut spans: Vec<Duration>) -> Option<Duration> {
    spans.sort();
    spans.get(spans.len() / 2).copied()
}

fn row(case: &Case, figures: &Figures) -> String {
    let told = |span: Duration| match case.budget {
        Budget::Within(_) => format!("{:.1} ms", span.as_secs_f64() * 1e3),
        Budget::Ratio(_) | Budget::PerSecond(_) | Budget::Told => rate(per_second(case, span), case.unit),
    };
    let (budget, met) = match case.budget {
        Budget::Ratio(least) => (format!("ratio >= {least}"), figures.ratio.map(|ratio| ratio >= least)),
        Budget::PerSecond(least) => (format!(">= {}", rate(least, case.unit)), Some(per_second(case, figures.ours) >= least)),
        Budget::Within(most) => (format!("<= {} ms", most.as_millis()), Some(figures.ours <= most)),
        Budget::Told => ("-".to_owned(), None),
    };
    let met = met.map_or("-", |met| if met { "yes" } else { "**no**" });
    let bare = figures.bare.map_or_else(|| "-".to_owned(), told);
    let ratio = figures.ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
    format!("| {} | {} | {bare} | {ratio} | {budget} | {met} |", case.name, told(figures.ours))
}

#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn per_second(case: &Case, span: Duration) -> f64 {
    case.units as f64 / span.as_secs_f64()
}

fn rate(per_second: f64, unit: &str) -> String {
    match per_second {
        rate if rate >= 1e6 => format!("{:.2} M {unit}/s", rate / 1e6),
        rate if rate >= 1e3 => format!("{:.1} k {unit}/s", rate / 1e3),
        rate => format!("{rate:.0} {unit}/s"),
    }
}
