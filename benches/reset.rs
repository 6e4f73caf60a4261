//! `cargo bench`: speed, scale, pace, the search for a hidden quota, and user pools beside FinSpace.
//!
//! Every ratio is of things measured alternately in one run against the same
//! server, which is the simulator in a process of its own, not checking
//! signatures. Nothing here asserts an absolute time.
//!
//! `cargo bench -- speed` runs one section.

#![allow(clippy::print_stdout, reason = "the tables are the point")]
#![allow(clippy::cast_precision_loss, reason = "ratios for people")]

mod bare;
mod measure;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use aws_sdk_finspacedata::config::retry::RetryConfig;
use finspace_reset::burst;
use finspace_reset::simulator::{Config, Pool, PoolUsers, Service, Simulator};
use measure::{Cost, median, middle, run};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const OURS: &str = env!("CARGO_BIN_EXE_finspace-reset");
const IN_FLIGHT: &str = "64";
const POOL: &str = "us-east-1_Bench";
/// Rounds of alternating measurements; odd, for a median.
const ROUNDS: usize = 7;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    match word(0) {
        "serve" => serve(word(1), word(2), word(3)),
        "loop" => bare_loop(word(1), word(2), RetryConfig::disabled(), Duration::MAX / 4),
        "adaptive" => {
            // Retries without end, as the tool does it for throttling.
            let retries = RetryConfig::adaptive().with_max_attempts(1000);
            bare_loop(word(1), word(2), retries, Duration::from_secs(30));
        }
        section => {
            println!("{}", machine());
            let bench = Bench::new();
            let wants = |name: &str| section.is_empty() || section == name;
            if wants("speed") {
                bench.speed();
            }
            if wants("scale") {
                bench.scale();
            }
            if wants("pace") {
                bench.pace();
            }
            if wants("quota") {
                bench.quota();
            }
            if wants("pools") {
                bench.pools(word(1).parse().unwrap_or(100_000));
            }
            if section == "counter" {
                bench.counter();
            }
        }
    }
}

/// The server: one thread, as the client's dispatcher is. Answers take so many
/// milliseconds, refusals half of that. With a roster it is a user pool of those users.
fn serve(quota: &str, latency: &str, pool: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let quota = (!quota.is_empty()).then(|| quota.parse().expect("a quota"));
        let latency = Duration::from_millis(latency.parse().unwrap_or(0));
        let service = if pool.is_empty() { Service::FinSpace } else { Service::Cognito(Box::new(pool_of(pool))) };
        let config = Config {
            service,
            verify_signatures: false,
            quota,
            latency,
            refusal_latency: Some(latency / 2),
            jitter: latency / 5,
            ..Config::default()
        };
        let simulator = Simulator::bind(config).await;
        let simulator = simulator.expect("a port");
        println!("{}", simulator.endpoint());
        simulator.serve(std::future::pending()).await;
    });
}

fn pool_of(roster: &str) -> Pool {
    let users = PoolUsers::from_csv(fs::File::open(roster).expect("a roster")).expect("its users");
    Pool { users, ..Pool::new(POOL) }
}

fn bare_loop(endpoint: &str, roster: &str, retries: RetryConfig, deadline: Duration) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let in_flight = IN_FLIGHT.parse().expect("a number");
    runtime.block_on(bare::reset_all(endpoint, roster, in_flight, retries, deadline));
}

fn machine() -> String {
    let model = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        model.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("").trim_matches([' ', '\t', ':']);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("machine: {cores} cores, {model}; client and server share them\n")
}

struct Server {
    child: Child,
    endpoint: String,
}

impl Server {
    fn start(quota: &str) -> Self {
        Self::slow(quota, "0")
    }

    /// A user pool of the users on a roster.
    fn pool(roster: &Path) -> Self {
        Self::of(&["serve", "", "0", &roster.to_string_lossy()])
    }

    /// One whose answers take so many milliseconds.
    fn slow(quota: &str, latency: &str) -> Self {
        Self::of(&["serve", quota, latency])
    }

    fn of(words: &[&str]) -> Self {
        let program = std::env::current_exe().expect("this program");
        let mut child = Command::new(program).args(words).stdout(Stdio::piped()).spawn().expect("the server starts");
        let mut endpoint = String::new();
        let stdout = child.stdout.take().expect("its output");
        BufReader::new(stdout).read_line(&mut endpoint).expect("its address");
        Self { child, endpoint: endpoint.trim().to_owned() }
    }

    fn state(&self) -> Value {
        let address = self.endpoint.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).expect("the server lives");
        write!(stream, "GET /_simulator/state?users=false HTTP/1.0\r\nHost: {address}\r\n\r\n").expect("it listens");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap_or_default()).expect("JSON")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder with rosters; everything is written to the disk of the target folder.
struct Bench {
    folder: tempfile::TempDir,
    key: String,
}

impl Bench {
    fn new() -> Self {
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
        let folder = tempfile::Builder::new().prefix("bench-").tempdir_in(target).expect("a folder");
        let made = Command::new(OURS).args(["keygen", "-o"]).arg(folder.path().join("key")).output().expect("a key");
        let told = String::from_utf8_lossy(&made.stderr).into_owned();
        let key = told.trim().trim_start_matches("Public key: ").to_owned();
        Self { folder, key }
    }

    /// A roster of random IDs with two more columns.
    fn roster(&self, users: u32) -> PathBuf {
        let path = self.folder.path().join(format!("{users}.csv"));
        if !path.exists() {
            let mut dice = StdRng::seed_from_u64(users.into());
            let mut text = String::from("user_id,email,team\n");
            for user in 0..users {
                let id: String = (0..26).map(|_| char::from(dice.random_range(b'a'..=b'z'))).collect();
                text.push_str(&format!("{id},user{user}@example.com,team {}\n", user % 97));
            }
            fs::write(&path, text).expect("a roster");
        }
        path
    }

    /// Our run on a roster, whole, with a state folder and output of its own.
    fn ours(&self, server: &Server, users: u32, more: &[&str]) -> Command {
        let room = tempfile::tempdir_in(self.folder.path()).expect("a folder").keep();
        let mut command = Command::new(OURS);
        command.arg("run").arg(self.roster(users)).args(["--yes", "--endpoint-url", &server.endpoint]);
        command
            .args(["-r", &self.key])
            .arg("-o")
            .arg(room.join("out.csv.age"))
            .arg("--state-dir")
            .arg(room.join("state"));
        command.args(["--region", "us-east-1", "--summary"]).arg(room.join("summary.json"));
        command.env("AWS_ACCESS_KEY_ID", "AKIASIMULATEDSUPERUSER").env("AWS_SECRET_ACCESS_KEY", "secret");
        command.env("AWS_EC2_METADATA_DISABLED", "true").args(more);
        command
    }

    fn unlimited(&self, server: &Server, users: u32) -> Command {
        self.ours(server, users, &["--rate", "unlimited", "--concurrency", IN_FLIGHT])
    }

    /// (a), (b), (c) of the comparison.
    fn speed(&self) {
        let users = 100_000;
        let plain = plain_loop();
        let (mut ours, mut user, mut same) = (Vec::new(), Vec::new(), Vec::new());
        let mut server_busy: f64 = 0.0;
        for _ in 0..ROUNDS {
            let mut take = |costs: &mut Vec<Cost>, make: &dyn Fn(&Server) -> Command| {
                let server = Server::start("");
                let cost = run(&mut make(&server));
                server_busy = server_busy.max(measure::busy(&server.child) / cost.seconds);
                costs.push(cost);
            };
            take(&mut ours, &|server| self.unlimited(server, users));
            take(&mut user, &|server| {
                let mut command = Command::new(&plain);
                command.arg(&server.endpoint).arg(self.roster(users)).arg(IN_FLIGHT);
                command
            });
            take(&mut same, &|server| {
                let mut command = Command::new(std::env::current_exe().expect("this program"));
                command.args(["loop", &server.endpoint]).arg(self.roster(users));
                command
            });
        }
        let per = |cost: Cost| cost.processor * 1e6 / f64::from(users);
        println!(
            "speed: {users} users, {IN_FLIGHT} in flight, medians of {ROUNDS} alternating rounds, of figures and of ratios"
        );
        println!("| what | resets/s | CPU µs/reset | peak MiB | ours is |");
        println!("| --- | --- | --- | --- | --- |");
        for (name, costs) in [
            ("ours: CSV to encrypted file, durable ledger", &ours),
            ("SDK loop a user would write", &user),
            ("the same loop in our build", &same),
        ] {
            let cost = median(costs.clone());
            // Round by round: this machine's own pace drifts by half within a minute.
            let ratios = |of: fn(&Cost) -> f64| costs.iter().zip(&ours).map(|(its, ours)| of(its) / of(ours)).collect();
            let (faster, processor) =
                (middle(ratios(|cost| cost.seconds)), middle(ratios(|cost| 1.0 / cost.processor)));
            println!(
                "| {name} | {:.0} | {:.1} | {:.1} | {:.2}× as fast, {:.2}× the CPU |",
                f64::from(users) / cost.seconds,
                per(cost),
                cost.peak_kib as f64 / 1024.0,
                faster,
                processor,
            );
        }
        println!("the server used at most {:.0} % of one core\n", server_busy * 100.0);
        self.scripts(f64::from(users) / median(ours).seconds);
    }

    /// Measures a reset in a user pool beside one in FinSpace. The pool's run also finds out who is who, by a
    /// walk through the pool.
    fn pools(&self, users: u32) {
        let (mut finspace, mut pool) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let server = Server::start("");
            finspace.push(run(&mut self.unlimited(&server, users)));
            let server = Server::pool(&self.roster(users));
            pool.push(run(self.unlimited(&server, users).args(["--user-pool-id", POOL])));
            assert_eq!(server.state()["resets"], users, "everybody was reset");
        }
        println!("pools: {users} users, {IN_FLIGHT} in flight, medians of {ROUNDS} alternating rounds");
        println!("| service | resets/s | CPU µs/reset | peak MiB | of FinSpace's CPU |");
        println!("| --- | --- | --- | --- | --- |");
        for (name, costs) in [("FinSpace", &finspace), ("Cognito user pool", &pool)] {
            let cost = median(costs.clone());
            let ratios = costs.iter().zip(&finspace).map(|(its, base)| its.processor / base.processor).collect();
            println!(
                "| {name} | {:.0} | {:.1} | {:.1} | {:.2}× |",
                f64::from(users) / cost.seconds,
                cost.processor * 1e6 / f64::from(users),
                cost.peak_kib as f64 / 1024.0,
                middle(ratios),
            );
        }
        println!();
    }

    /// boto3 in a thread pool and the AWS CLI under xargs, where they are.
    fn scripts(&self, ours: f64) {
        let boto = "
import csv, sys, uuid, concurrent.futures, boto3
from botocore.config import Config
client = boto3.client('finspace-data', region_name='us-east-1', endpoint_url=sys.argv[1], aws_access_key_id='AKIASIMULATEDSUPERUSER',
    aws_secret_access_key='secret', config=Config(max_pool_connections=64, retries={'max_attempts': 0}))
users = [row['user_id'] for row in csv.DictReader(open(sys.argv[2]))]
with concurrent.futures.ThreadPoolExecutor(64) as pool:
    list(pool.map(lambda user: client.reset_user_password(userId=user, clientToken=str(uuid.uuid4())), users))
";
        println!("| script | users | resets/s | ours is |\n| --- | --- | --- | --- |");
        let told = |name: &str, users: u32, cost: Cost| {
            let rate = f64::from(users) / cost.seconds;
            println!("| {name} | {users} | {rate:.1} | {:.0}× as fast |", ours / rate);
        };
        let has = |program: &str, words: &[&str]| {
            let ran = Command::new(program).args(words).stdout(Stdio::null()).stderr(Stdio::null()).status();
            ran.is_ok_and(|status| status.success())
        };
        if has("python3", &["-c", "import boto3; boto3.client('finspace-data', region_name='us-east-1')"]) {
            let (server, users) = (Server::start(""), 3_000);
            let mut command = Command::new("python3");
            command.args(["-c", boto, &server.endpoint]).arg(self.roster(users));
            told("boto3, 64 threads", users, run(&mut command));
        } else {
            println!("| boto3, 64 threads | | not here | |");
        }
        let aws = ["/usr/bin/aws", "aws"]
            .into_iter()
            .find(|aws| has(aws, &["finspace-data", "get-user", "--generate-cli-skeleton"]));
        if let Some(aws) = aws {
            let (server, users) = (Server::start(""), 24);
            let script = format!(
                "tail -n +2 '{}' | cut -d, -f1 | xargs -P 8 -I@ {aws} finspace-data reset-user-password --user-id @ --endpoint-url {} --region us-east-1",
                self.roster(users).display(),
                server.endpoint
            );
            let mut command = Command::new("bash");
            command
                .args(["-c", &script])
                .env("AWS_ACCESS_KEY_ID", "AKIASIMULATEDSUPERUSER")
                .env("AWS_SECRET_ACCESS_KEY", "secret");
            told("xargs -P 8 with the AWS CLI", users, run(&mut command));
        } else {
            println!("| xargs -P 8 with the AWS CLI | | not here | |");
        }
        println!();
    }

    fn scale(&self) {
        println!("scale: everything on, {IN_FLIGHT} in flight\n| users | seconds | peak MiB |\n| --- | --- | --- |");
        let mut costs = Vec::new();
        for users in [10_000, 100_000, 1_000_000] {
            let cost = run(&mut self.unlimited(&Server::start(""), users));
            println!("| {users} | {:.1} | {:.1} |", cost.seconds, cost.peak_kib as f64 / 1024.0);
            costs.push(cost);
        }
        println!(
            "1M/100k time {:.2}, 1M/10k peak memory {:.2}",
            costs[2].seconds / costs[1].seconds,
            costs[2].peak_kib as f64 / costs[0].peak_kib as f64
        );
        let million = self.roster(1_000_000);
        let server = Server::start("");
        let (mut dry, mut pass) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            let started = Instant::now();
            let mut reader = csv::Reader::from_path(&million).expect("the roster opens");
            let rows = reader.records().flatten().count();
            assert_eq!(rows, 1_000_000);
            pass.push(Cost { seconds: started.elapsed().as_secs_f64(), ..Cost::default() });
            let mut command = Command::new(OURS);
            command.arg("run").arg(&million).args([
                "--dry-run",
                "--region",
                "us-east-1",
                "--endpoint-url",
                &server.endpoint,
            ]);
            command
                .env("AWS_ACCESS_KEY_ID", "a")
                .env("AWS_SECRET_ACCESS_KEY", "b")
                .env("XDG_STATE_HOME", self.folder.path());
            dry.push(run(&mut command));
        }
        let (dry, pass) = (median(dry).seconds, median(pass).seconds);
        println!("dry run of 1M rows {dry:.2} s, a plain csv pass {pass:.2} s: {:.2}×", dry / pass);
        self.resume();
    }

    /// Measures the time until a million-user batch that is 99 % done sends again.
    fn resume(&self) {
        let server = Server::start("");
        let mut first = self.unlimited(&server, 1_000_000);
        let words: Vec<_> = first.get_args().map(ToOwned::to_owned).collect();
        run(first.args(["--limit", "990000"]));
        let sent = server.state()["requests"]["reset"].as_u64().unwrap_or(0);
        let mut again = Command::new(OURS);
        again.args(words).env("AWS_ACCESS_KEY_ID", "AKIASIMULATEDSUPERUSER").env("AWS_SECRET_ACCESS_KEY", "secret");
        let started = Instant::now();
        let mut child = again.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        while server.state()["requests"]["reset"].as_u64().unwrap_or(0) == sent {
            assert!(child.try_wait().expect("it can be asked").is_none(), "it ended without a request");
            std::thread::sleep(Duration::from_millis(5));
        }
        println!("a 1M batch that is 99 % done sends again after {:.2} s\n", started.elapsed().as_secs_f64());
        child.wait().expect("it ends");
    }

    fn pace(&self) {
        println!("pace: 20 s each\n| --rate | in flight | achieved | of the ceiling | most in a second | allowed |");
        println!("| --- | --- | --- | --- | --- | --- |");
        for (rate, in_flight) in [(5_u32, "16"), (50, "16"), (500, "16"), (1000, "64")] {
            let server = Server::start("");
            let text = rate.to_string();
            let users = rate * 20;
            let mut command = self.ours(&server, users, &["--rate", &text, "--concurrency", in_flight]);
            let summary = summary_path(&command);
            run(&mut command);
            let summary: Value = serde_json::from_slice(&fs::read(summary).expect("a summary")).expect("JSON");
            let achieved = summary["rate"]["achieved"].as_f64().unwrap_or(0.0);
            let most = &server.state()["max_reset_requests_in_one_second"];
            let allowed = rate + burst(rate.into());
            println!(
                "| {rate} | {in_flight} | {achieved:.2} | {:.3} | {most} | {allowed} |",
                achieved / f64::from(rate)
            );
        }
        println!();
    }

    fn quota(&self) {
        let allowed = 10.0 * (500.0 + 100.0 + 800.0);
        println!(
            "quota: hidden, 500/s, 100/s, 800/s for 10 s each; a bucket with room for 50 where nothing else is said"
        );
        println!("| what | of the quota | throttled |\n| --- | --- | --- |");
        let users = 30_000;
        let unlimited = ["--rate", "unlimited", "--concurrency", IN_FLIGHT, "--deadline", "30s"];
        for (name, more) in [
            ("ours, no ceiling", "burst=50"),
            ("ours, a bucket with room for 800", "burst=800"),
            ("ours, a count of each second", "counted"),
        ] {
            let server = Server::start(&format!("500:10s,100:10s,800,{more}"));
            run(&mut self.ours(&server, users, &unlimited));
            tell(name, &server, allowed);
        }
        let hidden = "500:10s,100:10s,800,burst=50";
        for (name, rate) in [("fixed at 100/s", 100.0), ("fixed at 800/s", 800.0)] {
            // A loop that never adapts: what a script with a rate limit does.
            let server = Server::start(hidden);
            fixed(&server.endpoint, &self.roster(users), rate);
            tell(name, &server, allowed);
        }
        let server = Server::start(hidden);
        self.adaptive(&server, users);
        tell("the SDK's adaptive retries", &server, allowed);
        println!();
        self.counter();
    }

    /// A service as far away as real ones are, which counts each second.
    fn counter(&self) {
        println!("quota: 100/s for 30 s, each second counted, answers after 100 ms, refusals after 50 ms");
        println!("| what | of the quota | throttled |\n| --- | --- | --- |");
        let (users, allowed) = (6_000, 3_000.0);
        let serve = || Server::slow("100,counted", "100");
        let server = serve();
        let unlimited = ["--rate", "unlimited", "--concurrency", IN_FLIGHT, "--deadline", "30s"];
        run(&mut self.ours(&server, users, &unlimited));
        tell("ours, no ceiling", &server, allowed);
        for (name, rate) in [("fixed at 50/s", 50.0), ("fixed at 200/s", 200.0)] {
            let server = serve();
            fixed(&server.endpoint, &self.roster(users), rate);
            tell(name, &server, allowed);
        }
        let server = serve();
        self.adaptive(&server, users);
        tell("the SDK's adaptive retries", &server, allowed);
        println!();
    }

    fn adaptive(&self, server: &Server, users: u32) {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        run(command.args(["adaptive", &server.endpoint]).arg(self.roster(users)));
    }
}

fn tell(name: &str, server: &Server, allowed: f64) {
    let state = server.state();
    let number = |value: &Value| value.as_f64().unwrap_or(0.0);
    let (reset, throttled) = (number(&state["resets"]), number(&state["throttled"]));
    println!("| {name} | {:.3} | {:.3} |", reset / allowed, throttled / (reset + throttled).max(1.0));
}

/// Sends at a fixed rate for 30 s, whatever the service answers.
fn fixed(endpoint: &str, roster: &Path, rate: f64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(bare::reset_at(endpoint, roster, rate, Duration::from_secs(30)));
}

fn summary_path(command: &Command) -> PathBuf {
    let words: Vec<_> = command.get_args().collect();
    let at = words.iter().position(|word| *word == "--summary").expect("a summary");
    PathBuf::from(words[at + 1])
}

/// Builds the user's loop with Cargo's default release profile.
fn plain_loop() -> PathBuf {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/default-profile");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--release", "--example", "user_loop", "--target-dir"])
        .arg(&target)
        .env("CARGO_PROFILE_RELEASE_LTO", "false")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
        .env("CARGO_PROFILE_RELEASE_PANIC", "unwind")
        .env("CARGO_PROFILE_RELEASE_STRIP", "none")
        .status()
        .expect("cargo");
    assert!(built.success(), "the user's loop does not build");
    target.join("release/examples/user_loop")
}
