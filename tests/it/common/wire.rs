//! A bad wire in front of a user pool: a proxy that loses requests and answers, carries requests out late, and
//! answers for the service that it is throttled or that a password was used before.
//!
//! Invariant: only `AdminSetUserPassword` meets it, and one is carried out at a time, so that what the wire says
//! of a history is true. A request that is late is carried out all the same: [`Wire::settle`] waits for it.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;

use super::wait_until;

/// The longest that a late request takes: longer than the wait before a second try, so that it comes behind it.
const LATEST: Duration = Duration::from_millis(1500);

/// The share of requests that meets each, from 0 to 1.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Troubles {
    /// The request never arrives.
    pub lose_request: f64,
    /// The request is carried out, and no answer comes back.
    pub lose_answer: f64,
    /// No answer comes back, and the request is carried out later.
    pub late: f64,
    /// Requests in each second beyond these are `TooManyRequestsException`, not carried out; 0 is no end.
    pub most_a_second: usize,
    /// Whether a user's latest passwords may not come again.
    pub history: bool,
}

/// The wire.
pub(crate) struct Wire {
    pub address: String,
    line: Arc<Line>,
}

struct Line {
    upstream: String,
    troubles: Troubles,
    state: Mutex<State>,
    started: Instant,
    /// Held while a request is carried out.
    carrying: Mutex<HashMap<String, Vec<String>>>,
}

struct State {
    rng: StdRng,
    seen: usize,
    /// The second that is counted, and the requests in it.
    second: (u64, usize),
    met: Met,
    on_the_way: usize,
}

/// The number of requests that met each.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Met {
    pub lost_requests: usize,
    pub lost_answers: usize,
    pub late: usize,
    pub throttled: usize,
    pub used_before: usize,
}

enum Fate {
    Pass,
    LoseRequest,
    LoseAnswer,
    Late(Duration),
    Throttle,
}

impl Wire {
    pub(crate) fn to(upstream: &str, troubles: Troubles, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let rng = StdRng::seed_from_u64(seed);
        let state = State { rng, seen: 0, second: (0, 0), met: Met::default(), on_the_way: 0 };
        let upstream = upstream.to_owned();
        let line = Arc::new(Line {
            upstream,
            troubles,
            state: Mutex::new(state),
            started: Instant::now(),
            carrying: Mutex::default(),
        });
        let shared = line.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let line = shared.clone();
                let Ok(stream) = stream else { return };
                thread::spawn(move || {
                    let _ = line.serve(&stream);
                });
            }
        });
        Self { address, line }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Passwords that were asked for.
    pub(crate) fn seen(&self) -> usize {
        self.line.state.lock().unwrap().seen
    }

    pub(crate) fn met(&self) -> Met {
        self.line.state.lock().unwrap().met
    }

    /// Waits until nothing is on the way any more.
    pub(crate) fn settle(&self) {
        wait_until("late requests are carried out", || self.line.state.lock().unwrap().on_the_way == 0);
    }
}

impl Line {
    /// Serves one connection, which ends with its first trouble.
    fn serve(self: &Arc<Self>, stream: &TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut stream = stream;
        while let Some(request) = Asked::read(&mut reader)? {
            let sets_password = request.operation == "AdminSetUserPassword";
            match if sets_password { self.fate() } else { Fate::Pass } {
                Fate::Pass if sets_password => stream.write_all(&self.carry_out(&request)?)?,
                Fate::Pass => stream.write_all(&forward(&self.upstream, &request)?)?,
                Fate::LoseRequest => return Ok(()),
                Fate::LoseAnswer => return self.carry_out(&request).map(drop),
                Fate::Throttle => {
                    stream.write_all(&refusal("TooManyRequestsException", "Rate exceeded"))?;
                }
                Fate::Late(delay) => {
                    let line = self.clone();
                    thread::spawn(move || {
                        thread::sleep(delay);
                        let _ = line.carry_out(&request);
                        line.state.lock().unwrap().on_the_way -= 1;
                    });
                    return Ok(());
                }
            }
            if request.is_last {
                break;
            }
        }
        Ok(())
    }

    fn fate(&self) -> Fate {
        let state = &mut *self.state.lock().unwrap();
        let Troubles { lose_request, lose_answer, late, most_a_second, .. } = self.troubles;
        state.seen += 1;
        let second = self.started.elapsed().as_secs();
        state.second = (second, if state.second.0 == second { state.second.1 + 1 } else { 1 });
        if most_a_second > 0 && state.second.1 > most_a_second {
            state.met.throttled += 1;
            return Fate::Throttle;
        }
        let mut left: f64 = state.rng.random();
        let mut meets = |share: f64| {
            left -= share;
            left < 0.0
        };
        if meets(lose_request) {
            state.met.lost_requests += 1;
            Fate::LoseRequest
        } else if meets(lose_answer) {
            state.met.lost_answers += 1;
            Fate::LoseAnswer
        } else if meets(late) {
            state.met.late += 1;
            state.on_the_way += 1;
            Fate::Late(LATEST.mul_f64(state.rng.random()))
        } else {
            Fate::Pass
        }
    }

    /// Has the service set a password, unless its history forbids it.
    fn carry_out(&self, request: &Asked) -> std::io::Result<Vec<u8>> {
        let mut carrying = self.carrying.lock().unwrap();
        let known = carrying.entry(request.member("Username")).or_default();
        let password = request.member("Password");
        if self.troubles.history && known.contains(&password) {
            self.state.lock().unwrap().met.used_before += 1;
            return Ok(refusal("PasswordHistoryPolicyViolationException", "Password has previously been used"));
        }
        let answer = forward(&self.upstream, request)?;
        if answer.starts_with(b"HTTP/1.1 200") {
            known.push(password);
        }
        Ok(answer)
    }
}

/// Passes a request on as it is; the answer with its length in front, so that the connection may stay.
pub(super) fn forward(upstream: &str, request: &Asked) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(upstream)?;
    stream.write_all(&request.bytes)?;
    let mut reader = BufReader::new(stream);
    let Some(answer) = Asked::read(&mut reader)? else {
        return Err(std::io::Error::other("the service closes"));
    };
    let text = String::from_utf8_lossy(&answer.bytes);
    let (first, rest) = text.split_once("\r\n").unwrap_or_default();
    let kept: Vec<&str> = rest.split("\r\n").filter(|line| !line.to_lowercase().starts_with("connection:")).collect();
    let status = first.split_once(' ').map_or("", |(_, status)| status);
    Ok(format!("HTTP/1.1 {status}\r\n{}", kept.join("\r\n")).into_bytes())
}

/// The answer that refuses a request.
pub(crate) fn refusal(code: &str, message: &str) -> Vec<u8> {
    let body = format!(r#"{{"__type":"{code}","message":"{message}"}}"#);
    let length = body.len();
    format!(
        "HTTP/1.1 400 Bad Request\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// A message of HTTP with a length, as it came.
pub(crate) struct Asked {
    bytes: Vec<u8>,
    /// Whether the other side wants the connection closed behind it.
    pub(super) is_last: bool,
    /// The operation that a request names.
    pub(crate) operation: String,
    /// The members of its body.
    pub(crate) members: Value,
}

impl Asked {
    /// A member of the body that is a text.
    pub(crate) fn member(&self, name: &str) -> String {
        self.members[name].as_str().unwrap_or_default().to_owned()
    }

    /// Reads one; none if the connection ends before it.
    pub(super) fn read(reader: &mut impl BufRead) -> std::io::Result<Option<Asked>> {
        let (mut head, mut operation) = (String::new(), String::new());
        let mut length = 0;
        loop {
            let from = head.len();
            if reader.read_line(&mut head)? == 0 {
                return Ok(None);
            }
            let line = head[from..].trim();
            let (name, value) = line.split_once(':').unwrap_or_default();
            match name.to_lowercase().as_str() {
                "content-length" => length = value.trim().parse().unwrap_or(0),
                "x-amz-target" => value.rsplit('.').next().unwrap_or_default().clone_into(&mut operation),
                _ => {}
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let is_last = head.to_lowercase().contains("connection: close");
        let members = serde_json::from_slice(&body).unwrap_or_default();
        Ok(Some(Asked { bytes: [head.into_bytes(), body].concat(), is_last, operation, members }))
    }
}
