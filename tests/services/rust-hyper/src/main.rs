// SPDX-License-Identifier: Apache-2.0
//! The talk's server (tests/e2e/talk.py) by hyper, on tokio's threads: harbour PORT
use http_body_util::{combinators::BoxBody, BodyExt, Full};
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::{Request, Response, StatusCode};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

// A body of chunks.
struct Pieces(VecDeque<Bytes>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }
}

fn pieces<const COUNT: usize>(all: [Bytes; COUNT]) -> BoxBody<Bytes, Infallible> {
    Pieces(VecDeque::from(all)).boxed()
}

async fn answer(request: Request<Incoming>) -> Result<Response<BoxBody<Bytes, Infallible>>, hyper::Error> {
    let text = |bytes: Bytes| Full::new(bytes).boxed();
    let (status, body) = match request.uri().path() {
        "/hello" => (StatusCode::OK, text(Bytes::from("hello"))),
        "/echo" => (StatusCode::OK, text(request.into_body().collect().await?.to_bytes())),
        "/missing" => (StatusCode::NOT_FOUND, text(Bytes::from("missing"))),
        "/broken" => (StatusCode::INTERNAL_SERVER_ERROR, text(Bytes::from("broken"))),
        "/big" => (StatusCode::OK, text(Bytes::from(vec![b'x'; 1 << 20]))),
        "/chunked" => (StatusCode::OK, pieces(["one", "two", "three"].map(Bytes::from))),
        "/stream" => (StatusCode::OK, pieces([(); 64].map(|_| Bytes::from(vec![b'y'; 1 << 14])))),
        path => panic!("nothing is at {path}"),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    Ok(response)
}

#[tokio::main(worker_threads = 4)]
async fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).unwrap().parse().unwrap();
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    loop {
        let (socket, _) = listener.accept().await?;
        tokio::spawn(async move {
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(hyper_util::rt::TokioIo::new(socket), hyper::service::service_fn(answer)).await;
        });
    }
}
