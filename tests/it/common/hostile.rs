//! An endpoint that answers whatever a test says: any bytes, in any order, of
//! any size, after any delay, with or without carrying the request out.
//!
//! Invariant: it alone knows who was really reset, how often, and which password
//! is current. A repeated client token changes nothing, as with the API.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::Table;

/// What one request gets.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// Carry the request out, and answer as the API does.
    Reset,
    /// Carry it out, and answer with these bytes; `{password}` and `{user}` are
    /// filled in, and the connection is closed.
    Done(Vec<u8>),
    /// Don't carry it out, and answer with these bytes.
    Refuse(Vec<u8>),
    /// Carry it out, and close the connection without a byte.
    Drop,
    /// Carry it out, and never answer.
    Hang,
    /// As the other, after a while.
    After(Duration, Box<Reply>),
}

/// A request, as a test decides by it.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub method: String,
    pub user: String,
    /// How many requests about this user came before, of this method.
    pub nth: usize,
    /// How many requests came before, of any user and method.
    pub total: usize,
}

#[derive(Debug, Default)]
struct State {
    asked: HashMap<(String, String), usize>,
    total: usize,
    resets: usize,
    passwords: BTreeMap<String, Vec<String>>,
    tokens: HashMap<String, String>,
}

/// The endpoint; it serves until the test ends.
pub(crate) struct Hostile {
    pub endpoint: String,
    state: Arc<Mutex<State>>,
}

/// An answer of HTTP with a status line, an error code of the API or none, and a body.
pub(crate) fn http(status: &str, code: Option<&str>, body: &str) -> Vec<u8> {
    let code = code.map(|code| format!("x-amzn-errortype: {code}\r\n")).unwrap_or_default();
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{code}content-length: {length}\r\nconnection: close\r\n\r\n{body}").into_bytes()
}

impl Hostile {
    pub(crate) fn start(decide: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let (decide, shared) = (Arc::new(decide), state.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (decide, state) = (decide.clone(), shared.clone());
                let Ok(stream) = stream else { return };
                thread::spawn(move || {
                    let _ = serve(stream, &*decide, &state);
                });
            }
        });
        Self { endpoint, state }
    }

    /// Requests that came, of all kinds.
    pub(crate) fn total(&self) -> usize {
        self.state.lock().unwrap().total
    }

    /// Requests of a method that came.
    pub(crate) fn asked(&self, method: &str) -> usize {
        self.state.lock().unwrap().asked.iter().filter(|((of, _), _)| of == method).map(|(_, count)| count).sum()
    }

    /// How often this user was really reset.
    pub(crate) fn resets(&self, user: &str) -> usize {
        self.state.lock().unwrap().passwords.get(user).map_or(0, Vec::len)
    }

    /// Judges an output: a password stands there for whoever has it, and nobody
    /// who was really reset is called anything but `succeeded` or `unknown`.
    #[track_caller]
    pub(crate) fn judge(&self, table: &Table) {
        let state = self.state.lock().unwrap();
        let rows = table.column("user_id").into_iter().zip(table.column("status"));
        for ((user, status), password) in rows.zip(table.column("temporary_password")) {
            let current = state.passwords.get(user).and_then(|passwords| passwords.last());
            match status {
                "succeeded" => assert_eq!(Some(password), current.map(String::as_str), "{user}"),
                "unknown" => assert_eq!(password, "", "{user}"),
                _ => assert_eq!((password, current), ("", None), "{user} is {status} and was reset"),
            }
        }
    }
}

fn serve(stream: TcpStream, decide: &dyn Fn(&Asked) -> Reply, state: &Mutex<State>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let mut words = line.split(' ');
        let (method, path) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
        let mut length = 0;
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            if header.trim().is_empty() {
                break;
            }
            if let Some(text) = header.to_ascii_lowercase().strip_prefix("content-length:") {
                length = text.trim().parse().unwrap_or(0);
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let user = path.split('/').nth(2).unwrap_or_default().to_owned();
        let user = user.split('?').next().unwrap_or_default().to_owned();
        let asked = {
            let mut state = state.lock().unwrap();
            let total = state.total;
            state.total += 1;
            let nth = state.asked.entry((method.clone(), user.clone())).or_default();
            *nth += 1;
            Asked { method, user: user.clone(), nth: *nth - 1, total }
        };
        let mut reply = decide(&asked);
        while let Reply::After(delay, then) = reply {
            thread::sleep(delay);
            reply = *then;
        }
        let fill = |bytes: &[u8]| {
            let password = reset(&mut state.lock().unwrap(), &user, &body);
            let Ok(text) = std::str::from_utf8(bytes) else { return bytes.to_vec() };
            text.replace("{password}", &password).replace("{user}", &user).into_bytes()
        };
        match reply {
            Reply::Reset => {
                let password = reset(&mut state.lock().unwrap(), &user, &body);
                let body = format!(r#"{{"userId":"{user}","temporaryPassword":"{password}"}}"#);
                let length = body.len();
                stream.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}").as_bytes())?;
                continue;
            }
            Reply::Done(bytes) => stream.write_all(&fill(&bytes))?,
            Reply::Refuse(bytes) => stream.write_all(&bytes)?,
            Reply::Drop => drop(fill(b"")),
            Reply::Hang => {
                fill(b"");
                // Until the other side has had enough.
                let _ = reader.read_line(&mut String::new());
            }
            Reply::After(..) => unreachable!("unwrapped above"),
        }
        return Ok(());
    }
}

/// Carries a reset out, unless its token was seen before. Returns the password.
fn reset(state: &mut State, user: &str, body: &[u8]) -> String {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let token = body["clientToken"].as_str().unwrap_or_default().to_owned();
    if let Some(password) = state.tokens.get(&token) {
        return password.clone();
    }
    state.resets += 1;
    let password = format!("Pass-{}-word", state.resets);
    state.tokens.insert(token, password.clone());
    state.passwords.entry(user.to_owned()).or_default().push(password.clone());
    password
}
