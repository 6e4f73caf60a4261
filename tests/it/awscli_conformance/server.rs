//! Servers that a case runs against: the simulator, or one that says just what
//! the case wants said. Each program has one of its own.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustls::pki_types::PrivateKeyDer;

use crate::common::{Simulator, closed_port};

/// What a case wants to talk to.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// The simulator, with these flags.
    Simulator(&'static [&'static str]),
    /// These answers in turn, the last one for ever.
    Says(&'static [Answer]),
    /// The same over TLS, with a certificate of a private authority in `ca.pem`.
    SaysOverTls(&'static [Answer]),
    /// A port that nobody listens on.
    Closed,
    /// A port that lets nobody in.
    Full,
}

/// What is said to a request.
#[derive(Clone, Copy)]
pub(crate) enum Answer {
    /// A status line's end, and a body.
    Http(&'static str, &'static str),
    /// The same, with an error type in the header.
    Typed(&'static str, &'static str, &'static str),
    /// The connection is closed.
    Nothing,
    /// The connection stays open.
    Silence,
}

/// What arrived, as far as both programs must agree on it.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Seen {
    pub requests: Vec<String>,
}

pub(crate) struct Server {
    pub url: String,
    simulator: Option<Simulator>,
    seen: Arc<Mutex<Seen>>,
    /// The authority's certificate.
    pub ca: Option<String>,
    /// What keeps a port full.
    _held: Vec<TcpStream>,
}

impl Server {
    pub(crate) fn start(kind: Kind) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let server = |url| Self { url, simulator: None, seen: seen.clone(), ca: None, _held: Vec::new() };
        match kind {
            Kind::Simulator(flags) => {
                let simulator = Simulator::start(&[&["--seed", "7"], flags].concat());
                Self { simulator: Some(simulator), ..server(String::new()) }.named()
            }
            Kind::Closed => server(format!("http://127.0.0.1:{}", closed_port())),
            Kind::Full => {
                let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                rustix::net::listen(&listener, 0).unwrap();
                let address = listener.local_addr().unwrap();
                let mut held = Vec::new();
                while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
                    held.push(stream);
                }
                thread::spawn(move || {
                    let _listener = listener;
                    thread::park();
                });
                Self { _held: held, ..server(format!("http://{address}")) }
            }
            Kind::Says(answers) => {
                let address = listen(answers, seen.clone(), None);
                server(format!("http://{address}"))
            }
            Kind::SaysOverTls(answers) => {
                let (ca, config) = authority();
                let address = listen(answers, seen.clone(), Some(Arc::new(config)));
                Self { ca: Some(ca), ..server(format!("https://{}", address.replace("127.0.0.1", "localhost"))) }
            }
        }
    }

    fn named(mut self) -> Self {
        self.url = self.simulator.as_ref().unwrap().endpoint.clone();
        self
    }

    /// What arrived so far.
    pub(crate) fn seen(&self) -> Seen {
        match &self.simulator {
            None => std::mem::take(&mut self.seen.lock().unwrap()),
            Some(simulator) => {
                let seen = simulator.seen();
                let mut requests = vec![format!("{} requests", seen.requests)];
                requests.extend(seen.users.iter().map(|(id, user)| format!("{id:?} reset {} times", user.resets)));
                Seen { requests }
            }
        }
    }
}

/// A certificate for `localhost`, and who vouches for it.
fn authority() -> (String, rustls::ServerConfig) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    parameters.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
    parameters.distinguished_name.push(rcgen::DnType::CommonName, "A private authority");
    let ca = parameters.self_signed(&key).unwrap();
    let issuer = rcgen::Issuer::new(parameters, key);
    let own_key = rcgen::KeyPair::generate().unwrap();
    let own =
        rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&own_key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let private = PrivateKeyDer::try_from(own_key.serialize_der()).unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![own.der().clone()], private).unwrap();
    (ca.pem(), config)
}

fn listen(answers: &'static [Answer], seen: Arc<Mutex<Seen>>, tls: Option<Arc<rustls::ServerConfig>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let seen = seen.clone();
            let tls = tls.clone();
            thread::spawn(move || match tls {
                None => serve(stream, answers, &seen),
                Some(config) => {
                    let session = rustls::ServerConnection::new(config).unwrap();
                    serve(rustls::StreamOwned::new(session, stream), answers, &seen);
                }
            });
        }
    });
    address
}

/// Answers one connection's requests. Whatever breaks ends it.
fn serve(stream: impl Read + Write, answers: &[Answer], seen: &Mutex<Seen>) {
    let mut stream = BufReader::new(stream);
    while let Some((request, length, signed)) = head(&mut stream) {
        let mut body = vec![0; length];
        if stream.read_exact(&mut body).is_err() {
            return;
        }
        let body = String::from_utf8_lossy(&body).into_owned();
        let number = {
            let mut seen = seen.lock().unwrap();
            let signed = if signed { "signed" } else { "unsigned" };
            seen.requests.push(format!("{request} {body} {signed}"));
            seen.requests.len() - 1
        };
        let answer = answers[number.min(answers.len() - 1)];
        let (status, kind, text) = match answer {
            Answer::Http(status, text) => (status, "", text),
            Answer::Typed(status, kind, text) => (status, kind, text),
            Answer::Nothing => return,
            Answer::Silence => loop {
                thread::park();
            },
        };
        let kind = if kind.is_empty() { String::new() } else { format!("x-amzn-ErrorType: {kind}\r\n") };
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{kind}content-length: {}\r\n\r\n",
            text.len()
        );
        let stream = stream.get_mut();
        if stream
            .write_all(head.as_bytes())
            .and_then(|()| stream.write_all(text.as_bytes()))
            .and_then(|()| stream.flush())
            .is_err()
        {
            return;
        }
    }
}

/// A request's line, the length of its body, and whether it is signed.
fn head(stream: &mut impl BufRead) -> Option<(String, usize, bool)> {
    let mut lines = stream.lines();
    let first = lines.next()?.ok()?;
    let (mut length, mut signed) = (0, false);
    for line in lines {
        let line = line.ok()?.to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        signed |= line.starts_with("authorization:");
    }
    Some((first, length, signed))
}
