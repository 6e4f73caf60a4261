//! How settings decide where requests go and who signs them: region, endpoint,
//! proxy, profile, credentials. What can't be used is exit 2 before anybody is
//! claimed, never a failure of each user.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use crate::awscli_conformance::server::{Answer, Kind, Server};
use crate::common::{Ran, Room, Running, Simulator, closed_port, wait_until};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 43\r\n\r\n{\"userId\":\"u\",\"temporaryPassword\":\"p-4711\"}";
const REFUSED: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";

/// A server that keeps the head of every request, and answers as it is told.
struct Wire {
    url: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Wire {
    fn says(answer: &'static str) -> Self {
        Self::start(move |stream| stream.write_all(answer.as_bytes()))
    }

    fn start(answer: impl Fn(&mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heads = Arc::new(Mutex::new(Vec::new()));
        let (kept, answer) = (heads.clone(), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (kept, answer) = (kept.clone(), answer.clone());
                thread::spawn(move || {
                    let mut stream = BufReader::new(stream);
                    while let Some(head) = request(&mut stream) {
                        kept.lock().unwrap().push(head);
                        if answer(stream.get_mut()).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { url, heads }
    }

    /// The first lines of the requests so far.
    fn lines(&self) -> Vec<String> {
        self.heads.lock().unwrap().iter().map(|head| head.lines().next().unwrap_or_default().to_owned()).collect()
    }

    fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap()
    }
}

/// A request's head; its body is read over.
fn request(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        head.push_str(&line);
    }
    stream.read_exact(&mut vec![0; length]).ok()?;
    Some(head)
}

/// `run` over one user where nothing but these variables says where to.
fn run(room: &Room, environment: &[(&str, &str)]) -> Ran {
    Ran::of(command(room, environment).output().unwrap())
}

fn command(room: &Room, environment: &[(&str, &str)]) -> Command {
    room.write("users.csv", "user_id\nu\n");
    let words = ["run", "users.csv", "-o", "out.csv", "--yes", "--max-attempts", "1", "--rate", "unlimited"];
    let mut command = room.command(&words);
    command.args(["--state-dir", "state"]).envs(environment.iter().copied());
    command
}

/// Nothing was begun: no ledger and no results.
fn assert_untouched(room: &Room) {
    assert!(!room.exists("out.csv"));
    let ledgers = room.files().into_iter().filter(|path| path.extension().is_some_and(|kind| kind == "ledger"));
    assert_eq!(ledgers.count(), 0);
}

#[test]
fn what_cannot_be_signed_with_is_refused_before_anything_is_claimed() {
    let wire = Wire::says(OK);
    let long = "r".repeat(64);
    for (name, value, told) in [
        ("AWS_ACCESS_KEY_ID", "AKIA\n", "U+000A"),
        ("AWS_ACCESS_KEY_ID", "AKIA\r", "U+000D"),
        ("AWS_ACCESS_KEY_ID", "\u{1b}[31mAKIA", "U+001B"),
        ("AWS_ACCESS_KEY_ID", " ", "AWS_ACCESS_KEY_ID"),
        ("AWS_ACCESS_KEY_ID", "AKIA\u{200b}", "U+200B"),
        ("AWS_SECRET_ACCESS_KEY", "secret\n", "AWS_SECRET_ACCESS_KEY"),
        ("AWS_SECRET_ACCESS_KEY", "", "AWS_SECRET_ACCESS_KEY"),
        ("AWS_SESSION_TOKEN", "tok\nen", "AWS_SESSION_TOKEN"),
        ("AWS_REGION", "us-east-1 ", "us-east-1 "),
        ("AWS_REGION", "us-east-1\n", "region"),
        ("AWS_REGION", "us.east", "us.east"),
        ("AWS_REGION", "123", "123"),
        ("AWS_REGION", long.as_str(), "region"),
        ("AWS_PROFILE", "nobody", "nobody"),
    ] {
        for words in [
            &["run", "users.csv", "-o", "out.csv", "--yes", "--state-dir", "state"][..],
            &["run", "users.csv", "--dry-run", "--state-dir", "state"],
            &["list-users"],
        ] {
            let room = Room::new();
            room.write("users.csv", "user_id\nu\n");
            let ran = room.command(words).env("AWS_ENDPOINT_URL", &wire.url).env(name, value).output().unwrap();
            let ran = Ran::of(ran).expect(2).says(told);
            assert!(
                !ran.stderr.contains("panicked") && !ran.stderr.contains('\u{1b}'),
                "{name}={value:?} {words:?}: {ran}"
            );
            assert_untouched(&room);
        }
        let room = Room::new();
        let mut command = room.command(&["reset-user-password", "--user-id", "u", "--endpoint-url", &wire.url]);
        let ran = Ran::of(command.env(name, value).output().unwrap());
        assert_eq!(ran.code(), Some(255), "{name}={value:?}: {ran}");
    }
    assert_eq!(wire.lines(), Vec::<String>::new());
}

#[test]
fn an_endpoint_that_nothing_can_be_sent_to_is_refused() {
    for (url, told) in [
        ("http://user:s3cret@127.0.0.1:1", "password"),
        ("http://127.0.0.1:1/?a=b", "query"),
        ("http://127.0.0.1:1/#f", "fragment"),
        ("http://127.0.0.1:1 ", "space"),
        ("http://a b", "space"),
        ("http://:1", "host"),
        ("http://127.0.0.1:99999", "port"),
        ("ftp://127.0.0.1", "http://"),
    ] {
        let room = Room::new();
        let ran = run(&room, &[("AWS_ENDPOINT_URL", url)]).expect(2).says(told).says("--endpoint-url");
        assert!(!ran.stderr.contains("s3cret"), "{ran}");
        assert_untouched(&room);
    }
}

#[test]
fn slashes_at_an_endpoints_end_change_nothing() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    let slashed = format!("{}//", simulator.endpoint);
    run(&room, &[("AWS_ENDPOINT_URL", &slashed)]).expect(0);
    run(&room, &[("AWS_ENDPOINT_URL", &simulator.endpoint)]).expect(0).says("nothing was sent");
    assert_eq!(simulator.requests(), 1);
}

#[test]
fn a_region_has_the_kind_of_endpoint_that_is_asked_for() {
    for (settings, host) in [
        (&[("AWS_REGION", "eu-west-1")][..], "finspace-api.eu-west-1.amazonaws.com"),
        (&[("AWS_USE_FIPS_ENDPOINT", "True")], "finspace-api-fips.us-east-1.amazonaws.com"),
        (&[("AWS_USE_DUALSTACK_ENDPOINT", "true")], "finspace-api.us-east-1.api.aws"),
        (
            &[("AWS_USE_FIPS_ENDPOINT", "true"), ("AWS_USE_DUALSTACK_ENDPOINT", "true")],
            "finspace-api-fips.us-east-1.api.aws",
        ),
        (&[("AWS_REGION", "fips-us-east-1")], "finspace-api-fips.us-east-1.amazonaws.com"),
        (&[("AWS_REGION", "cn-north-1")], "finspace-api.cn-north-1.amazonaws.com.cn"),
        (&[("AWS_PROFILE", "fips")], "finspace-api-fips.us-east-1.amazonaws.com"),
        (&[("AWS_PROFILE", "fips"), ("AWS_USE_FIPS_ENDPOINT", "false")], "finspace-api.us-east-1.amazonaws.com"),
        (&[("AWS_PROFILE", "dual")], "finspace-api.us-east-1.api.aws"),
    ] {
        let (room, proxy) = (Room::new(), Wire::says(REFUSED));
        room.write(
            "config",
            "[profile fips]\nuse_fips_endpoint = true\n[profile dual]\nuse_dualstack_endpoint = TRUE\n",
        );
        let mut command = command(&room, settings);
        command.env("AWS_CONFIG_FILE", room.path("config")).env("HTTPS_PROXY", &proxy.url);
        let ran = Ran::of(command.output().unwrap());
        assert_eq!(proxy.lines(), [format!("CONNECT {host}:443 HTTP/1.1")], "{settings:?}: {ran}");
    }
    let room = Room::new();
    run(&room, &[("AWS_REGION", "us-iso-east-1"), ("AWS_USE_DUALSTACK_ENDPOINT", "true")]).expect(2).says("DualStack");
}

#[test]
fn a_named_endpoint_wins_over_fips_and_dual_stack() {
    let simulator = Simulator::start(&[]);
    for name in ["AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"] {
        let room = Room::new();
        run(&room, &[("AWS_ENDPOINT_URL", &simulator.endpoint), (name, "true")]).expect(0);
        assert_eq!(room.table("out.csv").count("succeeded"), 1);
    }
}

#[test]
fn endpoints_of_the_config_file_are_heeded_in_botocores_order() {
    let dead = format!("http://127.0.0.1:{}", closed_port());
    let live = Wire::says(OK);
    let config = |service: &str, spelled: &str, global: &str| {
        format!(
            "[default]\nservices = s\nendpoint_url = {global}\n[services s]\ns3 =\n  endpoint_url = {dead}\n{spelled} =\n  endpoint_url = {service}\n"
        )
    };
    for (config, settings) in [
        (config(&live.url, "finspace_data", &dead), &[][..]),
        (config(&live.url, "finspace-data", &dead), &[]),
        (config(&dead, "other", &live.url), &[]),
        (config(&dead, "finspace_data", &dead), &[("AWS_ENDPOINT_URL", live.url.as_str())][..]),
        (
            config(&dead, "finspace_data", &dead),
            &[("AWS_ENDPOINT_URL", dead.as_str()), ("AWS_ENDPOINT_URL_FINSPACE_DATA", live.url.as_str())],
        ),
        (config(&live.url, "finspace_data", &dead), &[("AWS_ENDPOINT_URL", "")]),
    ] {
        let room = Room::new();
        room.write("config", &config);
        let mut command = command(&room, settings);
        let ran = Ran::of(command.env("AWS_CONFIG_FILE", room.path("config")).output().unwrap());
        assert_eq!(ran.code(), Some(0), "{config}{settings:?}\n{ran}");
    }
    // All of them but the flag can be ignored; then it is the region's own.
    let (room, proxy) = (Room::new(), Wire::says(REFUSED));
    room.write("config", config(&dead, "finspace_data", &dead));
    let ignoring = [("AWS_ENDPOINT_URL", dead.as_str()), ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")];
    let mut command = command(&room, &ignoring);
    command.env("AWS_CONFIG_FILE", room.path("config")).env("HTTPS_PROXY", &proxy.url).output().unwrap();
    assert_eq!(proxy.lines(), ["CONNECT finspace-api.us-east-1.amazonaws.com:443 HTTP/1.1"]);
}

#[test]
fn a_services_section_that_is_not_there_is_refused() {
    let room = Room::new();
    room.write(
        "config",
        "[default]\nservices = typo\n[services s]\nfinspace_data =\n  endpoint_url = http://127.0.0.1:1\n",
    );
    let mut command = command(&room, &[]);
    Ran::of(command.env("AWS_CONFIG_FILE", room.path("config")).output().unwrap()).expect(2).says("[services typo]");
    assert_untouched(&room);
}

#[test]
fn a_proxy_is_gone_through_unless_somebody_says_no() {
    let endpoint = ("AWS_ENDPOINT_URL", "http://finspace.test:81/v1/");
    for (settings, authorized) in [
        (&[("HTTP_PROXY", "http://{}")][..], false),
        (&[("http_proxy", "{}")], false),
        (&[("HTTP_PROXY", "http://127.0.0.1:1"), ("http_proxy", "http://{}")], false),
        (&[("HTTP_PROXY", "http://user:p%40ss@{}")], true),
        (&[("HTTP_PROXY", "http://{}"), ("NO_PROXY", "10.0.0.1,space.test")], false),
    ] {
        let (room, proxy) = (Room::new(), Wire::says(OK));
        let settings: Vec<_> =
            settings.iter().map(|(name, value)| (*name, value.replace("{}", proxy.address()))).collect();
        let mut command = command(&room, &[endpoint]);
        let ran = Ran::of(command.envs(settings.iter().map(|(name, value)| (*name, value))).output().unwrap());
        assert_eq!(ran.code(), Some(0), "{settings:?} {ran}");
        let heads = proxy.heads.lock().unwrap().clone();
        assert!(heads[0].starts_with("POST http://finspace.test:81/v1/user/u/password HTTP/1.1"), "{heads:?}");
        let login = heads[0].to_lowercase().contains("proxy-authorization: basic dxnlcjpwqhnz");
        assert_eq!(login, authorized, "{heads:?}");
    }
    let (room, proxy) = (Room::new(), Wire::says(OK));
    let ran = run(&room, &[endpoint, ("HTTP_PROXY", &proxy.url), ("NO_PROXY", ".test")]);
    assert_eq!((ran.code() == Some(0), proxy.lines().len()), (false, 0), "{ran}");
}

#[test]
fn this_machine_is_never_proxied() {
    let (simulator, proxy) = (Simulator::start(&[]), Wire::says(OK));
    let proxies = [("HTTP_PROXY", proxy.url.as_str()), ("HTTPS_PROXY", proxy.url.as_str())];
    let room = Room::new();
    let mut direct = command(&room, &proxies);
    Ran::of(direct.env("AWS_ENDPOINT_URL", &simulator.endpoint).output().unwrap()).expect(0);
    let room = Room::new();
    Ran::of(command(&room, &proxies).arg("--simulate").output().unwrap()).expect(0);
    assert_eq!((simulator.requests(), proxy.lines().len()), (1, 0));
}

/// A proxy that tunnels to one server, whoever is asked for.
fn tunnel(to: &str) -> Wire {
    let to = to.replace("localhost", "127.0.0.1");
    Wire::start(move |client| {
        let server = TcpStream::connect(&to)?;
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
        let (mut up, mut down) = (client.try_clone()?, server.try_clone()?);
        let upwards = thread::spawn(move || std::io::copy(&mut up, &mut down));
        let _ = std::io::copy(&mut &server, client);
        let _ = upwards.join();
        Err(std::io::ErrorKind::ConnectionAborted.into())
    })
}

#[test]
fn https_goes_through_a_tunnel() {
    const ANSWERS: &[Answer] = &[Answer::Http("200 OK", r#"{"userId":"u","temporaryPassword":"p-4711"}"#)];
    let server = Server::start(Kind::SaysOverTls(ANSWERS));
    let proxy = tunnel(server.url.strip_prefix("https://").unwrap());
    let login = format!("http://us:s3cret@{}", proxy.address());
    // Nobody's certificate is good for that name.
    let room = Room::new();
    let mut unverified = command(&room, &[("AWS_ENDPOINT_URL", "https://finspace.test"), ("HTTPS_PROXY", &login)]);
    Ran::of(unverified.arg("--no-verify-ssl").output().unwrap()).expect(0);
    let room = Room::new();
    let ran = run(&room, &[("AWS_ENDPOINT_URL", "https://finspace.test"), ("HTTPS_PROXY", &login)]);
    assert!(ran.stderr.contains("CertificateError"), "{ran}");
    // The AWS CLI's command asks the proxy for this machine too.
    room.write("ca.pem", server.ca.as_deref().unwrap());
    let words = ["reset-user-password", "--user-id", "u", "--ca-bundle", "ca.pem", "--endpoint-url", &server.url];
    Ran::of(room.command(&words).env("HTTPS_PROXY", &login).output().unwrap()).expect(0);
    let heads = proxy.heads.lock().unwrap().clone();
    assert_eq!(heads.len(), 3, "{heads:?}");
    assert!(heads.iter().all(|head| head.contains("Proxy-Authorization: Basic dXM6czNjcmV0")), "{heads:?}");
    assert!(
        heads[0].starts_with("CONNECT finspace.test:443 ") && heads[2].starts_with("CONNECT localhost:"),
        "{heads:?}"
    );
    assert_eq!(server.seen().requests.len(), 2);
}

#[test]
fn a_connect_time_out_counts_without_verification_too() {
    // It lets everybody in and says nothing: the handshake hangs.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("https://{}", listener.local_addr().unwrap());
    for verify in [&["--no-verify-ssl"][..], &[]] {
        let room = Room::new();
        let mut command = command(&room, &[("AWS_ENDPOINT_URL", &endpoint)]);
        let ran = Ran::of(command.args(["--connect-timeout", "0.3"]).args(verify).output().unwrap());
        assert!(ran.stderr.contains("ConnectTimeout"), "{verify:?} {ran}");
        assert!(ran.stderr.contains("1 pending") && !ran.stderr.contains("unknown"), "{ran}");
        assert!(!room.exists("out.csv"), "{ran}");
    }
}

#[test]
fn a_proxy_that_fails_is_named_without_its_password() {
    let dead = format!("http://user:s3cret@127.0.0.1:{}", closed_port());
    for (name, endpoint) in [("HTTP_PROXY", "http://finspace.test"), ("HTTPS_PROXY", "https://finspace.test")] {
        let room = Room::new();
        let ran = run(&room, &[("AWS_ENDPOINT_URL", endpoint), (name, &dead)]);
        assert!(ran.stderr.contains("through the proxy http://***:***@127.0.0.1"), "{ran}");
        assert!(!ran.stderr.contains("s3cret") && !room.exists("out.csv"), "{ran}");
    }
    let room = Room::new();
    let ran = run(&room, &[("AWS_ENDPOINT_URL", "http://finspace.test"), ("HTTP_PROXY", "socks5://u:s3cret@h:1")]);
    let ran = ran.expect(2).says("HTTP_PROXY");
    assert!(!ran.stderr.contains("s3cret"), "{ran}");
    assert_untouched(&room);
}

#[test]
fn an_answer_that_is_too_long_is_a_lost_one() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    let long = format!("{{\"userId\":\"u\",\"temporaryPassword\":\"p-4711\",\"x\":\"{}\"}}", "x".repeat(65_536));
    let counted = format!("{head}content-length: {}\r\n\r\n{long}", long.len());
    let counted = Wire::start(move |stream| stream.write_all(counted.as_bytes()));
    let endless = Wire::start(move |stream| {
        write!(stream, "{head}transfer-encoding: chunked\r\n\r\n")?;
        let chunk = format!("10000\r\n{}\r\n", " ".repeat(65_536));
        loop {
            stream.write_all(chunk.as_bytes())?;
        }
    });
    let headers: String = (0..301).map(|number| format!("x-{number}: y\r\n")).collect();
    let headed = OK.replacen("\r\n\r\n", &format!("\r\n{headers}\r\n"), 1);
    let headed = Wire::start(move |stream| stream.write_all(headed.as_bytes()));
    for wire in [counted, endless, headed] {
        let room = Room::new();
        let ran = run(&room, &[("AWS_ENDPOINT_URL", &wire.url)]);
        let table = room.table("out.csv");
        assert_eq!((table.count("unknown"), wire.lines().len()), (1, 1), "{ran}");
    }
    // A long one that is not too long is none.
    let fits = format!("{{\"userId\":\"u\",\"temporaryPassword\":\"p-4711\",\"x\":\"{}\"}}", "x".repeat(60_000));
    let fits = format!("{head}content-length: {}\r\n\r\n{fits}", fits.len());
    let fits = Wire::start(move |stream| stream.write_all(fits.as_bytes()));
    run(&Room::new(), &[("AWS_ENDPOINT_URL", &fits.url)]).expect(0);
}

/// A profile whose keys come from a helper that counts how often it is asked.
fn helper(room: &Room, body: &str) {
    let count = room.path("asked");
    room.write("helper.sh", format!("echo asked >> {}\n{body}\n", count.display()));
    room.write("config", format!("[default]\ncredential_process = sh {}\n", room.path("helper.sh").display()));
}

fn with_helper(room: &Room, mut command: Command) -> Command {
    command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    command.env("AWS_CONFIG_FILE", room.path("config"));
    command
}

const KEYS: &str =
    r#""AccessKeyId":"AKIASIMULATEDSUPERUSER","SecretAccessKey":"simulated/secret/of/the/superuser/000000""#;

#[test]
fn credentials_near_their_end_are_renewed_once_for_all() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.roster("many.csv", 60);
    // Always about to expire: each set lives on for five seconds.
    let until = r#"$(date -u -d "@$(($(date +%s) + 5))" +%Y-%m-%dT%H:%M:%SZ)"#;
    let keys = KEYS.replace('"', "\\\"");
    helper(&room, &format!(r#"echo "{{\"Version\":1,{keys},\"Expiration\":\"{until}\"}}""#));
    let command = room.job(&simulator, &["many.csv", "-o", "out.csv"]);
    Ran::of(with_helper(&room, command).output().unwrap()).expect(0);
    assert_eq!(room.table("out.csv").count("succeeded"), 60);
    assert!((1..=2).contains(&room.read("asked").lines().count()), "{}", room.read("asked"));
}

#[test]
fn absurd_lives_of_credentials_do_no_harm() {
    let simulator = Simulator::start(&[]);
    for until in
        ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "1601-01-01T00:00:00Z", "99999-01-01T00:00:00Z", "never"]
    {
        let room = Room::new();
        helper(&room, &format!(r#"echo '{{"Version":1,{KEYS},"Expiration":"{until}"}}'"#));
        let command = command(&room, &[("AWS_ENDPOINT_URL", &simulator.endpoint)]);
        let ran = Ran::of(with_helper(&room, command).output().unwrap());
        assert!(matches!(ran.code(), Some(0 | 2)) && !ran.stderr.contains("panicked"), "{until}: {ran}");
    }
}

#[test]
fn the_keys_of_a_helper_are_looked_at_too() {
    let (room, wire) = (Room::new(), Wire::says(OK));
    helper(&room, r#"printf '{"Version":1,"AccessKeyId":"AK\\nIA","SecretAccessKey":"x"}'"#);
    let command = command(&room, &[("AWS_ENDPOINT_URL", &wire.url)]);
    Ran::of(with_helper(&room, command).output().unwrap()).expect(2).says("access key ID").says("U+000A");
    assert_eq!(wire.lines().len(), 0);
    assert_untouched(&room);
}

#[test]
fn a_signal_ends_the_wait_for_a_helper() {
    let (room, wire) = (Room::new(), Wire::says(OK));
    helper(&room, "exec sleep 600");
    room.write("users.csv", "user_id\nu\n");
    for words in [
        &["run", "users.csv", "-o", "out.csv", "--yes", "--state-dir", "state"][..],
        &["run", "users.csv", "--dry-run", "--state-dir", "state"],
        &["list-users"],
    ] {
        let mut command = room.command(words);
        command.env("AWS_ENDPOINT_URL", &wire.url);
        let running = Running::of(with_helper(&room, command));
        wait_until("the helper is asked", || room.exists("asked"));
        running.signal(rustix::process::Signal::TERM);
        let ran = running.wait();
        assert!(matches!(ran.code(), Some(143) | None), "{words:?}: {ran}");
        std::fs::remove_file(room.path("asked")).unwrap();
    }
    assert_eq!(wire.lines().len(), 0);
    assert_untouched(&room);
}

#[test]
fn a_deadline_ends_the_wait_for_a_helper() {
    let (room, wire) = (Room::new(), Wire::says(OK));
    helper(&room, "exec sleep 600");
    let mut command = command(&room, &[("AWS_ENDPOINT_URL", &wire.url)]);
    command.args(["--deadline", "300ms"]);
    Ran::of(with_helper(&room, command).output().unwrap()).expect(3);
    assert_untouched(&room);
}

#[test]
fn a_config_file_that_cannot_be_read_is_refused() {
    for name in ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"] {
        let room = Room::new();
        let folder = room.path("tmp");
        let settings = [("AWS_ENDPOINT_URL", "http://127.0.0.1:1"), (name, folder.to_str().unwrap())];
        run(&room, &settings).expect(2).says(name).says(folder.to_str().unwrap());
        assert_untouched(&room);
    }
}

#[test]
fn an_sso_session_that_is_over_tells_how_to_sign_in() {
    for (profile, command) in [("default", "aws sso login"), ("people", "aws sso login --profile people")] {
        let room = Room::new();
        let sso = "sso_session = s\nsso_account_id = 123456789012\nsso_role_name = r\n";
        room.write(
            "config",
            format!(
                "[default]\n{sso}[profile people]\n{sso}[sso-session s]\nsso_region = us-east-1\nsso_start_url = https://x.test/start\n"
            ),
        );
        let mut run = self::command(&room, &[("AWS_ENDPOINT_URL", "http://127.0.0.1:1"), ("AWS_PROFILE", profile)]);
        if profile == "default" {
            run.env_remove("AWS_PROFILE");
        }
        let ran = Ran::of(with_helper(&room, run).output().unwrap()).expect(2);
        assert!(ran.stderr.contains(command), "{ran}");
        assert_eq!(ran.stderr.matches("loading credentials").count(), 0, "{ran}");
        assert_untouched(&room);
    }
}

#[test]
fn the_host_that_aws_has_ended_is_told_before_anything_is_sent() {
    let room = Room::new();
    room.roster("users.csv", 1);
    let ran = room.run(&["run", "users.csv", "-n", "--state-dir", room.path("state").to_str().unwrap()]).expect(0);
    ran.says("AWS ended FinSpace on 2026-10-07").says("--endpoint-url");
}
