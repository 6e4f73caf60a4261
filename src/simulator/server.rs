//! The sockets: HTTP/1.1 with keep-alive, and answers that end as badly as they are told to.
//!
//! Invariant: a request is executed when it has arrived whole, before any latency, so a client that
//! gives up waiting has been served all the same. Nothing that a client does ends the server.

use std::future::{Future, pending};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Either, Full, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::answer::{Answer, Refusal, StopReason};
use super::api::Api;
use super::operations::Call;
use super::{Config, admin};

const MAX_BODY: usize = 64 * 1024;
/// The wait where the system has no more sockets to give.
const BREATH: Duration = Duration::from_millis(20);

/// A listener and what it will serve.
pub(super) struct Bound {
    listener: TcpListener,
    address: SocketAddr,
    api: Arc<Api>,
}

impl Bound {
    pub(super) async fn new(config: Config) -> io::Result<Bound> {
        let listener = TcpListener::bind(config.listen).await?;
        Ok(Bound { address: listener.local_addr()?, listener, api: Arc::new(Api::new(config)) })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) async fn serve(self, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        // Dropped on return, and with it every connection.
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                () = &mut stop => return,
                Some(_) = connections.join_next(), if !connections.is_empty() => {}
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(serve_connection(stream, Arc::clone(&self.api)));
                    }
                    Err(_) => tokio::time::sleep(BREATH).await,
                },
            }
        }
    }
}

/// Serves one connection until either side closes it.
async fn serve_connection(stream: TcpStream, api: Arc<Api>) {
    // Without it, small answers would wait for the client's acknowledgements; no reason to refuse.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| respond(Arc::clone(&api), request));
    // An error is the client's leaving, its nonsense, or a fault of our own making.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

type Paper = Either<Full<Bytes>, Torn>;

/// Makes hyper close the connection at once.
#[derive(Debug, thiserror::Error)]
#[error("the connection is closed on purpose")]
struct Hangup;

async fn respond(api: Arc<Api>, request: Request<Incoming>) -> Result<Response<Paper>, Hangup> {
    let (head, body) = request.into_parts();
    let body = match Limited::new(body, MAX_BODY).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            return Ok(write(api.refuse(Refusal::too_large())));
        }
        Err(_) => return Err(Hangup),
    };
    let answer = match admin::answer(&api, &head) {
        Some(answer) => answer,
        None => api.answer(&Call { head: &head, body: &body, now: Instant::now(), time: Timestamp::now() }),
    };
    if !answer.delay.is_zero() {
        tokio::time::sleep(answer.delay).await;
    }
    match answer.ending {
        StopReason::Whole | StopReason::Truncated => Ok(write(answer)),
        StopReason::Dropped => Err(Hangup),
        StopReason::Hung => pending().await,
    }
}

fn write(answer: Answer) -> Response<Paper> {
    let mut response = Response::new(match answer.ending {
        StopReason::Truncated => Either::Right(Torn::from(&answer.body)),
        _ => Either::Left(Full::new(answer.body)),
    });
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.media));
    let mut buffer = uuid::Uuid::encode_buffer();
    let id = answer.request_id.hyphenated().encode_lower(&mut buffer);
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert("x-amzn-requestid", id);
    }
    if let Some(code) = answer.code {
        headers.insert("x-amzn-errortype", HeaderValue::from_static(code));
    }
    response
}

/// A body that ends before the length it announced.
struct Torn {
    announced: u64,
    half: Option<Bytes>,
    flushed: bool,
}

impl Torn {
    fn from(whole: &Bytes) -> Torn {
        Torn { announced: whole.len() as u64, half: Some(whole.slice(..whole.len() / 2)), flushed: false }
    }
}

impl Body for Torn {
    type Data = Bytes;
    type Error = Hangup;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Hangup>>> {
        if let Some(half) = self.half.take() {
            return Poll::Ready(Some(Ok(Frame::data(half))));
        }
        if self.flushed {
            return Poll::Ready(Some(Err(Hangup)));
        }
        // Once more around, so that hyper flushes what it has before it meets the error.
        self.flushed = true;
        context.waker().wake_by_ref();
        Poll::Pending
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.announced)
    }
}
