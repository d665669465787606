// HTTPS by rustls: "serve PORT CERTIFICATE KEY" by hyper and tokio; "call" reads a line "PORT CERTIFICATE CONNECTIONS
// REQUESTS" and calls by a blocking stream, printing each connection's name and local port.
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::io::{Read, Write};
use std::sync::Arc;

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn certificates(path: &str) -> Vec<CertificateDer<'static>> {
    let mut file = std::io::BufReader::new(std::fs::File::open(path).unwrap());
    rustls_pemfile::certs(&mut file).map(|c| c.unwrap()).collect()
}

fn key(path: &str) -> PrivateKeyDer<'static> {
    let mut file = std::io::BufReader::new(std::fs::File::open(path).unwrap());
    rustls_pemfile::private_key(&mut file).unwrap().unwrap()
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Failure> {
    let path = request.uri().path().to_string();
    let status = if path == "/broken" { 500 } else { 200 };
    let body = request.into_body().collect().await?.to_bytes();
    let body = if path == "/echo" { body } else { Bytes::from("hello") };
    Ok(Response::builder().status(status).body(Full::new(body))?)
}

#[tokio::main(worker_threads = 4)]
async fn serve(port: u16, certificate: &str, key_file: &str) -> Result<(), Failure> {
    let mut config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(certificates(certificate), key(key_file))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    loop {
        let (socket, _) = listener.accept().await?;
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            if let Ok(stream) = acceptor.accept(socket).await {
                let _ = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), hyper::service::service_fn(answer)).await;
            }
        });
    }
}

type Stream = rustls::StreamOwned<rustls::ClientConnection, std::net::TcpStream>;

fn get(stream: &mut Stream, path: &str) {
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).unwrap();
    let mut text = Vec::new();
    let mut buffer = [0u8; 4096];
    while !text.ends_with(b"\r\n\r\nhello") {
        let size = stream.read(&mut buffer).unwrap();
        assert!(size > 0);
        text.extend_from_slice(&buffer[..size]);
    }
}

fn call() {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    let (port, connections, requests): (u16, usize, usize) = (words[0].parse().unwrap(), words[2].parse().unwrap(), words[3].parse().unwrap());
    let mut roots = rustls::RootCertStore::empty();
    for certificate in certificates(words[1]) {
        roots.add(certificate).unwrap();
    }
    let config = Arc::new(rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth());
    let mut streams: Vec<Stream> = (0..connections).map(|_| {
        let connection = rustls::ClientConnection::new(config.clone(), ServerName::try_from("localhost").unwrap()).unwrap();
        rustls::StreamOwned::new(connection, std::net::TcpStream::connect(("127.0.0.1", port)).unwrap())
    }).collect();
    for turn in 0..requests {
        for (number, stream) in streams.iter_mut().enumerate() {
            get(stream, &format!("/c/{number}/{turn}"));
        }
    }
    for (number, stream) in streams.iter().enumerate() {
        println!("{number} {}", stream.sock.local_addr().unwrap().port());
    }
}

fn main() {
    rustls::crypto::ring::default_provider().install_default().unwrap();
    let words: Vec<String> = std::env::args().collect();
    if words[1] == "serve" {
        serve(words[2].parse().unwrap(), &words[3], &words[4]).unwrap();
    } else {
        call();
    }
}
