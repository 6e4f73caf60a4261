//! A user pool behind a bad wire: whatever is lost, late, throttled or refused on the way, and however often the
//! program is killed, a row that says `succeeded` holds the password that signs its user in. moto is the judge.

#![allow(clippy::print_stdout, reason = "the long form tells its figures")]

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;

use crate::common::moto::{Moto, Pool, call};
use crate::common::wire::{Troubles, Wire};
use crate::common::{Room, Running, wait_until};

/// A tenth of all requests each; the rest arrive, if there are no more of them than Cognito's own quota lets through.
const BAD: Troubles = Troubles { lose_request: 0.1, lose_answer: 0.1, late: 0.1, most_a_second: 30, history: false };

/// What a script would do: so many at a time, another try after a while, and each answer written down. `fresh`
/// makes a new password for every try.
fn script(wire: &Wire, pool: &Pool, users: &[String], fresh: bool) -> BTreeMap<String, String> {
    let told = Mutex::new(BTreeMap::new());
    let left = Mutex::new(users.iter());
    let worker = |seed: u64| {
        let mut rng = StdRng::seed_from_u64(seed);
        loop {
            let Some(user) = left.lock().unwrap().next() else { return };
            let mut password = made(&mut rng);
            loop {
                let body = json!({"UserPoolId": pool.id, "Username": user, "Password": password, "Permanent": false});
                let answer = call(&wire.address, "AdminSetUserPassword", &body);
                match answer {
                    Ok(Ok(_)) => break,
                    Ok(Err(code)) if code == "PasswordHistoryPolicyViolationException" => break,
                    Ok(Err(_)) | Err(_) => {}
                }
                std::thread::sleep(Duration::from_millis(rng.random_range(1..200)));
                if fresh {
                    password = made(&mut rng);
                }
            }
            told.lock().unwrap().insert(user.clone(), password);
        }
    };
    std::thread::scope(|scope| {
        for seed in 0..16 {
            scope.spawn(move || worker(seed));
        }
    });
    told.into_inner().unwrap()
}

fn made(rng: &mut StdRng) -> String {
    format!("Made-{:08x}-1", rng.random::<u32>())
}

/// The test can fail: behind this wire a new password for every try locks people out.
#[test]
fn a_script_that_makes_a_new_password_for_every_try_locks_people_out() {
    let Some(moto) = Moto::get() else { return };
    let pool = moto.pool(json!({}));
    let users = pool.add_many(60);
    for (fresh, history, expected) in [(true, false, false), (false, false, true), (false, true, true)] {
        let wire = Wire::to(&moto.address, Troubles { late: 0.3, history, ..BAD }, 7);
        let told = script(&wire, &pool, &users, fresh);
        wire.settle();
        let locked_out = pool.locked_out(told.iter().map(|(user, password)| (user.as_str(), password.as_str())));
        println!("a script, fresh: {fresh}: {} of {} locked out, {:?}", locked_out.len(), users.len(), wire.met());
        assert_eq!(locked_out.is_empty(), expected, "fresh: {fresh}, {locked_out:?}, {:?}", wire.met());
        assert_eq!(wire.met().used_before > 0, history, "{:?}", wire.met());
    }
}

/// Runs behind a bad wire until nothing is left to do, killed so many times on the way, and has moto judge.
fn survive(users: usize, kills: usize, troubles: Troubles, seed: u64) {
    let Some(moto) = Moto::get() else { return };
    let (room, pool) = (Room::new(), moto.pool(json!({})));
    let names = pool.add_many(users);
    room.write("users.csv", format!("username\n{}\n", names.join("\n")));
    let wire = Wire::to(&moto.address, troubles, seed);
    let mut rng = StdRng::seed_from_u64(seed);
    let words = ["users.csv", "--user-pool-id", &pool.id, "-o", "out.csv", "--yes"];
    let start = || Running::of(room.at(&wire.endpoint(), &words));
    let mut killed = 0;
    while killed < kills {
        // So far apart that the last kill comes before everybody is done.
        let at = wire.seen() + rng.random_range(1..=users / kills);
        let mut run = start();
        wait_until("the next kill", || run.ended() || wire.seen() >= at);
        if run.ended() {
            break;
        }
        run.kill();
        killed += 1;
    }
    assert!(killed >= kills / 2, "everybody was done after {killed} kills");
    let mut last = start().wait();
    for _ in 0..10 {
        if last.code() == Some(0) {
            break;
        }
        last = start().wait();
    }
    let last = last.expect(0);
    wire.settle();
    let table = room.table("out.csv");
    assert_eq!(table.count("succeeded"), users, "{last}");
    let told = table.column("username").into_iter().zip(table.column("temporary_password"));
    assert_eq!(pool.locked_out(told), [""; 0], "of {users} users, {killed} kills, {:?}", wire.met());
    println!("{users} users, {killed} kills, {} requests, {:?}: nobody is locked out", wire.seen(), wire.met());
}

#[test]
fn nobody_is_locked_out_behind_a_bad_wire() {
    for history in [false, true] {
        survive(40, 3, Troubles { history, ..BAD }, 11);
    }
}

/// The long form: minutes.
#[test]
#[ignore = "takes minutes; run it with --ignored"]
fn nobody_of_a_thousand_is_locked_out_by_fifty_kills() {
    for history in [false, true] {
        survive(1000, 50, Troubles { history, ..BAD }, 12);
        survive(300, 0, Troubles { history, late: 0.3, ..BAD }, 13);
    }
}
