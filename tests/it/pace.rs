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
fn two_runs_at_one_quota_both_get_to_their_end() {
    for quota in ["40,burst=5", "40,counted", "40,sliding"] {
        let simulator = Simulator::start(&["--quota", quota, "--latency", "20ms", "--jitter", "5ms"]);
        let rooms = [Room::new(), Room::new()];
        let runs = rooms.each_ref().map(|room| {
            room.roster("users.csv", 60);
            room.start(&simulator, &["users.csv", "-o", "out.csv", "--batch", "both", "--rate", "unlimited"])
        });
        for run in runs {
            run.wait().expect(0);
        }
        for room in &rooms {
            assert_eq!(room.table("out.csv").count("succeeded"), 60, "{quota}");
        }
    }
}

#[test]
fn a_list_of_users_is_asked_for_at_the_pace_that_the_service_takes() {
    let room = Room::new();
    let ids: Vec<String> = (0..900).map(|user| format!("u{user:03}")).collect();
    room.write("population.csv", format!("user_id\n{}\n", ids.join("\n")));
    let population = room.path("population.csv");
    let simulator = Simulator::start(&["--users", population.to_str().unwrap(), "--quota", "4,spacing"]);
    let words = ["list-users", "-o", "users.csv", "--endpoint-url", simulator.endpoint.as_str()];
    room.run(&words).expect(0).says("900 users");
    assert_eq!(room.table("users.csv").column("user_id"), ids);
    let seen = simulator.seen();
    let throttled = seen.state["throttled"].as_u64().unwrap();
    assert!((1..9).contains(&throttled), "{throttled} refused: {}", seen.state);
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
