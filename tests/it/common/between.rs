//! A proxy in front of a user pool: each request passes, is answered by the test itself, or is carried out and
//! its answer lost.
//!
//! Invariant: what passes is what the program sent, byte for byte.

use std::collections::HashMap;
use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use super::Simulator;
use super::wire::{Asked, forward, refusal};

/// The way of one request.
#[derive(Clone, Debug)]
pub(crate) enum Way {
    /// To the pool and back.
    Pass,
    /// To the pool, and the connection is closed without a byte.
    Lose,
    /// Nowhere: these bytes are the answer, and the connection is closed.
    Answer(Vec<u8>),
    /// Nowhere, and no answer either.
    Hang,
}

impl Way {
    /// Refused with an error of the API.
    pub(crate) fn refuse(code: &str) -> Self {
        Self::Answer(refusal(code, "not this one"))
    }
}

/// The proxy. It serves until the test ends.
pub(crate) struct Between {
    pub(crate) endpoint: String,
    seen: Arc<Mutex<HashMap<String, usize>>>,
}

impl Between {
    /// Stands in front of a pool. `decide` gets a request and the number of those of its operation before it.
    pub(crate) fn start(pool: &Simulator, decide: impl Fn(&Asked, usize) -> Way + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let upstream = pool.endpoint.strip_prefix("http://").unwrap().to_owned();
        let seen: Arc<Mutex<HashMap<String, usize>>> = Arc::default();
        let (decide, counts) = (Arc::new(decide), seen.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                let (upstream, decide, counts) = (upstream.clone(), decide.clone(), counts.clone());
                thread::spawn(move || {
                    let _ = serve(&stream, &upstream, |asked| {
                        let nth = {
                            let mut counts = counts.lock().unwrap();
                            let count = counts.entry(asked.operation.clone()).or_default();
                            *count += 1;
                            *count - 1
                        };
                        decide(asked, nth)
                    });
                });
            }
        });
        Self { endpoint, seen }
    }

    /// Requests of an operation that came.
    pub(crate) fn asked(&self, operation: &str) -> usize {
        self.seen.lock().unwrap().get(operation).copied().unwrap_or(0)
    }
}

fn serve(mut stream: &TcpStream, upstream: &str, decide: impl Fn(&Asked) -> Way) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    while let Some(asked) = Asked::read(&mut reader)? {
        match decide(&asked) {
            Way::Pass => stream.write_all(&forward(upstream, &asked)?)?,
            Way::Lose => return forward(upstream, &asked).map(drop),
            Way::Answer(bytes) => {
                let text = String::from_utf8_lossy(&bytes).replacen("\r\n", "\r\nconnection: close\r\n", 1);
                return stream.write_all(text.as_bytes());
            }
            // Until the other side has had enough.
            Way::Hang => return Asked::read(&mut reader).map(drop),
        }
        if asked.is_last {
            break;
        }
    }
    Ok(())
}
