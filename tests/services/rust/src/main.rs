// SPDX-License-Identifier: Apache-2.0
//! The talk's server (tests/e2e/talk.py) with tiny_http: parcels <port>
use std::io::Read;
use std::{env, io, sync::Arc, thread};
use tiny_http::{Request, Response, Server};

fn text(status: u16, body: Vec<u8>) -> Response<io::Cursor<Vec<u8>>> {
    Response::from_data(body).with_status_code(status).with_chunked_threshold(usize::MAX)
}

fn answer(mut request: Request) -> io::Result<()> {
    let path = request.url().split('?').next().unwrap_or("").to_string();
    match path.as_str() {
        "/hello" => request.respond(text(200, b"hello".to_vec())),
        "/missing" => request.respond(text(404, b"missing".to_vec())),
        "/broken" => request.respond(text(500, b"broken".to_vec())),
        "/big" => request.respond(text(200, vec![b'x'; 1 << 20])),
        "/chunked" => {
            let body = io::Cursor::new(b"onetwothree".to_vec());
            request.respond(Response::new(200.into(), vec![], body, None, None))
        }
        "/stream" => {
            let body = io::Cursor::new(vec![b'y'; 1 << 20]);
            request.respond(Response::new(200.into(), vec![], body, None, None))
        }
        "/echo" => {
            let mut body = Vec::new();
            request.as_reader().read_to_end(&mut body)?;
            request.respond(text(200, body))
        }
        _ => panic!("{path}"),
    }
}

fn main() {
    let port = env::args().nth(1).expect("a port");
    let server = Arc::new(Server::http(format!("127.0.0.1:{port}")).expect("a server"));
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let server = server.clone();
            thread::spawn(move || {
                for request in server.incoming_requests() {
                    let _ = answer(request);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("a thread");
    }
}
