//! The pace over real sockets: the program finds the quota of a simulated
//! service, however that rations and however slow its answers are.

use crate::common::{Room, Simulator};

/// The most that may be refused of a run that starts from no knowledge.
fn refused(simulator: &Simulator) -> f64 {
    let state = simulator.seen().state;
    let number = |name: &str| state[name].as_f64().unwrap();
    number("throttled") / (number("throttled") + number("resets"))
}

#[test]
fn every_limiter_is_followed_over_the_wire() {
    for (quota, users) in
        [("40,bucket", 480), ("40,burst=5", 400), ("20,spacing", 160), ("40,counted", 400), ("40,sliding", 400)]
    {
        let flags = ["--quota", quota, "--latency", "100ms", "--jitter", "20ms", "--refusal-latency", "50ms"];
        let (room, simulator) = (Room::new(), Simulator::start(&flags));
        room.roster("users.csv", users);
        let flags = ["users.csv", "-o", "out.csv", "--rate", "unlimited", "--summary", "summary.json"];
        room.reset(&simulator, &flags).expect(0).says("limit about ");
        let summary: serde_json::Value = serde_json::from_str(&room.read("summary.json")).unwrap();
        let allowed: f64 = quota.split(',').next().unwrap().parse().unwrap();
        let found = summary["rate"]["found"].as_f64().unwrap();
        // Room for one is lost where a busy machine sends late.
        let least = if quota.ends_with("spacing") { 0.3 } else { 0.6 };
        assert!((least..1.4).contains(&(found / allowed)), "{quota}: found {found}");
        assert!(refused(&simulator) <= 0.12, "{quota}: {} refused", refused(&simulator));
        assert!(simulator.seen().twice().is_empty(), "{quota}");
    }
}

#[test]
fn no_rate_is_told_in_sixteen_digits() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.roster("users.csv", 3);
    let flags = ["users.csv", "-o", "out.csv", "--rate", "7.333333333333333", "--summary", "summary.json"];
    room.reset(&simulator, &flags).expect(0).says("7.333/s");
    let summary: serde_json::Value = serde_json::from_str(&room.read("summary.json")).unwrap();
    assert!(summary["rate"]["achieved"].to_string().len() < 10, "{}", summary["rate"]);
    assert_eq!(summary["rate"]["ceiling"], "7.333/s");
}
