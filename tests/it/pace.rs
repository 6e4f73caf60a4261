//! The pace over real sockets, against a simulated service that rations in each
//! of the ways there are.

use crate::common::{Room, Simulator};

#[test]
fn every_limiter_is_met_over_the_wire() {
    for (quota, users) in
        [("40,bucket", 120), ("40,burst=5", 100), ("20,spacing", 40), ("40,counted", 100), ("40,sliding", 100)]
    {
        let flags = ["--quota", quota, "--latency", "100ms", "--jitter", "20ms", "--refusal-latency", "50ms"];
        let (room, simulator) = (Room::new(), Simulator::start(&flags));
        room.roster("users.csv", users);
        let flags = ["users.csv", "-o", "out.csv", "--rate", "unlimited", "--summary", "summary.json"];
        room.reset(&simulator, &flags).expect(0);
        let seen = simulator.seen();
        assert!(seen.state["throttled"].as_u64().unwrap() > 0, "{quota} refused nobody");
        assert_eq!((seen.users.len(), seen.twice().len()), (users, 0), "{quota}");
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
