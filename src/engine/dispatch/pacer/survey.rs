//! A survey of services: limiters, quotas and latencies, in tables.

use super::rationing::{Cell, Limiter, run};
use super::*;

/// The figures of one cell.
struct Figures {
    /// Of what the quota allowed after the first five seconds.
    pub kept: f64,
    /// Of all requests …
    pub refused: f64,
    /// … and of those after the first five seconds.
    pub settled: f64,
}

fn figures(cell: &Cell) -> Figures {
    let (seen, end) = (run(cell).remove(0), cell.seconds());
    Figures {
        kept: seen.passed(5.0, end) / cell.allowed(5.0, end),
        refused: seen.refused(0.0, end),
        settled: seen.refused(5.0, end),
    }
}

/// Floors, a little below the figures of today: a change that falls below one has
/// lost something. The tables tell how far above they are.
const KEPT: f64 = 0.8;
const SETTLED: f64 = 0.13;
const MISSED: f64 = 0.5;
const LESSER: f64 = 0.22;
const FOUND: f64 = 7.0;
const BLIP: f64 = 0.85;
const AT_RANDOM: f64 = 0.75;
const AT_RANDOM_ALL: f64 = 0.6;

/// Each kind of service, and the share of the quota that is aimed at.
const LIMITERS: [(&str, Limiter, f64); 5] = [
    ("bucket, a second's room", Limiter::BucketOfSeconds(1.0), 0.95),
    ("bucket, room for five", Limiter::Bucket(5.0), 0.95),
    ("bucket of one", Limiter::Bucket(1.0), 0.90),
    ("whole seconds counted", Limiter::Counted, 0.95),
    ("last second counted", Limiter::Sliding, 0.95),
];
/// The dice of a survey; none of them was tuned on.
const SEEDS: [u64; 3] = [7, 8, 9];

fn mean(figures: &[f64]) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "some")]
    let count = figures.len() as f64;
    figures.iter().sum::<f64>() / count
}

fn least(figures: &[f64]) -> f64 {
    figures.iter().copied().fold(f64::MAX, f64::min)
}

/// Surveys one client and prints a line for each limiter and quota; returns the
/// share of cells that miss a goal: of the quota what is aimed at after five
/// seconds, 5 % refused in a minute and 2 % after five seconds.
#[allow(clippy::print_stdout, reason = "the table is the point")]
fn survey(quotas: &[f64], latencies: &[f64], in_flight: &[usize], seeds: &[u64]) -> f64 {
    let mut fails = Vec::new();
    println!(
        "kept/refused %/refused % once settled, * a goal missed; by latency and in flight: {latencies:?} × {in_flight:?}"
    );
    for (name, limiter, aim) in LIMITERS {
        // Timers are late by more than such a bucket forgives.
        let most = if matches!(limiter, Limiter::Bucket(room) if room < 2.0) { 100.0 } else { f64::MAX };
        for &quota in quotas.iter().filter(|&&quota| quota <= most) {
            let mut line = format!("{name:24} {quota:5}/s");
            for (&latency, &in_flight) in latencies.iter().flat_map(|l| in_flight.iter().map(move |n| (l, n))) {
                let cell = Cell::new(limiter, quota, latency, in_flight);
                let seen: Vec<Figures> = seeds.iter().map(|&seed| figures(&Cell { seed, ..cell.clone() })).collect();
                let missed = |f: &&Figures| f.kept < aim || f.refused > 0.05 || f.settled > 0.02;
                let mark = if seen.iter().any(|f| missed(&f)) { '*' } else { ' ' };
                fails.extend(seen.iter().map(|f| f64::from(u8::from(missed(&f)))));
                let all = |of: fn(&Figures) -> f64| mean(&seen.iter().map(of).collect::<Vec<_>>());
                let (kept, refused, settled) = (all(|f| f.kept), all(|f| f.refused), all(|f| f.settled));
                line += &format!(" {kept:.2}/{:4.1}/{:4.1}{mark}", refused * 100.0, settled * 100.0);
                assert!(kept >= KEPT, "{name}, {quota}/s, {latency} s, {in_flight} in flight: {kept} of the quota");
                assert!(settled <= SETTLED, "{name}, {quota}/s, {latency} s, {in_flight} in flight: {settled} refused");
            }
            println!("{line}");
        }
    }
    let missed = mean(&fails);
    println!("{:.0} % of {} runs miss a goal", missed * 100.0, fails.len());
    missed
}

/// Prints a line of measures for each limiter, by seed and by latency (10 and
/// 100 ms) of each quota and what it moves to; returns all of them.
#[allow(clippy::print_stdout, reason = "the table is the point")]
fn table(title: &str, moves: &[(f64, f64)], seeds: &[u64], measure: impl Fn(Cell, (f64, f64)) -> f64) -> Vec<f64> {
    let mut all = Vec::new();
    println!("{title}, mean (least); quotas {moves:?} × 10, 100 ms");
    for (name, limiter, _) in LIMITERS {
        let mut line = format!("{name:24}");
        for (&quotas, latency) in moves.iter().flat_map(|quotas| [(quotas, 0.01), (quotas, 0.1)]) {
            let cell = |&seed: &u64| Cell { seed, ..Cell::new(limiter, quotas.0, latency, 64) };
            let here: Vec<f64> = seeds.iter().map(|seed| measure(cell(seed), quotas)).collect();
            line += &format!(" {:5.2} ({:5.2})", mean(&here), least(&here));
            all.extend(here);
        }
        println!("{line}");
    }
    println!("mean {:.2}", mean(&all));
    all
}

/// Two clients at one quota, the second starting so much later: the share of the
/// quota that the one with less has in the last half minute.
fn shares(later: f64, quotas: &[(f64, f64)], seeds: &[u64]) -> Vec<f64> {
    table(&format!("share of the lesser of two, one {later} s later"), quotas, seeds, |cell, (quota, _)| {
        let two = run(&Cell { clients: vec![0.0, later], ..cell });
        least(&two.iter().map(|seen| seen.passed(30.0, 60.0) / (30.0 * quota)).collect::<Vec<_>>())
    })
}

/// A quota that moves after twenty seconds: the seconds until one keeps nine
/// tenths of it.
fn moves(quotas: &[(f64, f64)], seeds: &[u64]) -> Vec<f64> {
    table("seconds until a quota that moves is found", quotas, seeds, |cell, (from, to)| {
        let cell = Cell { schedule: vec![(20.0, from), (30.0, to)], ..cell };
        let seen = run(&cell).remove(0);
        let kept = |at: f64| seen.passed(at, at + 1.0) >= 0.9 * cell.allowed(at, at + 1.0);
        (0..58).map(|half| f64::from(half) / 2.0).find(|&at| kept(20.0 + at)).unwrap_or(29.0)
    })
}

/// A second of refusals for everyone: the share kept of the ten seconds after it.
fn blips(quotas: &[(f64, f64)], seeds: &[u64]) -> Vec<f64> {
    table("kept of the ten seconds after a blip", quotas, seeds, |cell, (quota, _)| {
        let schedule = vec![(20.0, quota), (1.0, 0.0), (12.0, quota)];
        run(&Cell { schedule, ..cell }).remove(0).passed(22.0, 32.0) / (10.0 * quota)
    })
}

/// The schedule of the bench: the share kept of the whole, start and moves included.
fn schedules(seeds: &[u64]) -> Vec<f64> {
    table("kept of 500, 100, 800/s, ten seconds each", &[(500.0, 800.0)], seeds, |cell, _| {
        let cell = Cell { schedule: vec![(10.0, 500.0), (10.0, 100.0), (10.0, 800.0)], ..cell };
        run(&cell).remove(0).passed(0.0, 30.0) / cell.allowed(0.0, 30.0)
    })
}

/// A service that refuses some at random, as a fleet does whose machines each ration
/// for themselves: the share kept of what it would let through after five seconds.
#[allow(clippy::print_stdout, reason = "the table is the point")]
fn random_refusals(cases: &[(Option<f64>, f64)], shares: &[f64], seeds: &[u64]) -> Vec<f64> {
    let mut all = Vec::new();
    println!("kept (least) of a service that refuses at random: {shares:?} × 10, 100 ms");
    for &(ceiling, quota) in cases {
        let mut line = format!("ceiling {ceiling:?}, quota {quota}/s");
        for (&at_random, latency) in shares.iter().flat_map(|share| [(share, 0.01), (share, 0.1)]) {
            let limit = ceiling.map_or(Rate::Unlimited, Rate::PerSecond);
            let most = ceiling.map_or(quota, |ceiling| quota.min(ceiling * (1.0 - at_random)));
            let limiter = Limiter::BucketOfSeconds(1.0);
            let cell = Cell { at_random, ceiling: limit, ..Cell::new(limiter, quota, latency, 64) };
            let kept = |&seed: &u64| run(&Cell { seed, ..cell.clone() }).remove(0).passed(5.0, 60.0) / (55.0 * most);
            let here: Vec<f64> = seeds.iter().map(kept).collect();
            line += &format!(" {:4.2} ({:4.2})", mean(&here), least(&here));
            all.extend(here);
        }
        println!("{line}");
    }
    println!("mean {:.2}", mean(&all));
    all
}

#[test]
fn every_limiter_is_followed() {
    let missed = survey(&[2.0, 20.0, 100.0], &[0.01, 0.1], &[32], &SEEDS[..1]);
    assert!(missed <= MISSED, "{missed} of the runs miss");
}

#[test]
fn two_clients_share_a_quota() {
    for later in [0.0, 10.0] {
        let lesser = mean(&shares(later, &[(20.0, 20.0)], &SEEDS));
        assert!(lesser >= LESSER, "{lesser} for the lesser");
    }
}

#[test]
fn a_quota_that_moves_is_found_again() {
    let found = mean(&moves(&[(50.0, 100.0), (100.0, 30.0)], &SEEDS[..1]));
    assert!(found <= FOUND, "{found} s");
}

#[test]
fn a_second_without_room_does_not_slow_the_minute_down() {
    let kept = mean(&blips(&[(20.0, 20.0), (100.0, 100.0)], &SEEDS[..1]));
    assert!(kept >= BLIP, "{kept} of the quota");
}

/// A machine that has other work, too.
#[test]
fn timers_that_are_late_do_not_hold_the_rate_down() {
    for quota in [20.0, 100.0, 150.0, 400.0] {
        let cell = Cell { late: 0.006, ..Cell::new(Limiter::BucketOfSeconds(0.1), quota, 0.04, 64) };
        let kept = figures(&cell).kept;
        assert!(kept >= 0.9, "{quota}/s: {kept} of the quota");
    }
}

#[test]
fn refusals_that_no_rate_avoids_do_not_stop_the_run() {
    let cases = [(Some(5.0), 1e6), (Some(50.0), 1e6), (Some(500.0), 1e6)];
    let kept = random_refusals(&cases, &[0.03, 0.1], &SEEDS);
    assert!(mean(&kept) >= AT_RANDOM, "{} of what it would let through", mean(&kept));
}

#[test]
#[ignore = "the long form: cargo test --lib -- --ignored --nocapture survey"]
fn survey_of_limiters_quotas_and_latencies() {
    let quotas = [2.0, 5.0, 20.0, 100.0, 400.0, 2000.0];
    let missed = survey(&quotas, &[0.001, 0.01, 0.05, 0.1, 0.25], &[16, 64], &SEEDS);
    assert!(missed <= MISSED, "{missed} of the runs miss");
    let steady = [(5.0, 5.0), (20.0, 20.0), (100.0, 100.0), (400.0, 400.0)];
    for later in [0.0, 10.0] {
        let lesser = mean(&shares(later, &steady, &SEEDS));
        assert!(lesser >= LESSER, "{lesser} for the lesser");
    }
    let found = mean(&moves(&[(5.0, 20.0), (20.0, 5.0), (100.0, 200.0), (100.0, 800.0), (500.0, 100.0)], &SEEDS));
    assert!(found <= FOUND, "{found} s");
    let kept = mean(&blips(&steady[1..], &SEEDS));
    assert!(kept >= BLIP, "{kept} of the quota");
    let cases = [5.0, 50.0, 500.0].map(|ceiling| (Some(ceiling), 1e6));
    let cases = [&cases[..], &[(None, 20.0), (None, 200.0), (Some(50.0), 20.0)]].concat();
    let kept = mean(&random_refusals(&cases, &[0.01, 0.03, 0.1, 0.3], &SEEDS));
    assert!(kept >= AT_RANDOM_ALL, "{kept} of what it would let through");
    let kept = mean(&schedules(&SEEDS));
    assert!(kept >= KEPT, "{kept} of the schedule");
}
