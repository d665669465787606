// HTTPS by the openssl crate, over the system's library: "serve PORT CERTIFICATE KEY" with a thread for each connection; "call"
// reads a line "PORT CERTIFICATE CONNECTIONS REQUESTS" and calls, printing each connection's name and local port.
use openssl::ssl::{SslAcceptor, SslConnector, SslFiletype, SslMethod, SslStream};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

type Stream = SslStream<TcpStream>;

// Answers one request; false at the end.
fn answer(reader: &mut BufReader<Stream>) -> std::io::Result<bool> {
    let mut first = String::new();
    if reader.read_line(&mut first)? == 0 {
        return Ok(false);
    }
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let path = first.split(' ').nth(1).unwrap_or("");
    let status = if path == "/broken" { "500 Internal Server Error" } else { "200 OK" };
    let body = if path == "/echo" { body } else { b"hello".to_vec() };
    let out = reader.get_mut();
    out.write_all(format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes())?;
    out.write_all(&body)?;
    Ok(true)
}

fn serve(port: u16, certificate: &str, key: &str) {
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).unwrap();
    builder.set_certificate_chain_file(certificate).unwrap();
    builder.set_private_key_file(key, SslFiletype::PEM).unwrap();
    let acceptor = Arc::new(builder.build());
    for socket in TcpListener::bind(("127.0.0.1", port)).unwrap().incoming() {
        let acceptor = acceptor.clone();
        let socket = socket.unwrap();
        std::thread::spawn(move || {
            if let Ok(stream) = acceptor.accept(socket) {
                let mut reader = BufReader::new(stream);
                while let Ok(true) = answer(&mut reader) {}
            }
        });
    }
}

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
    let mut builder = SslConnector::builder(SslMethod::tls()).unwrap();
    builder.set_ca_file(words[1]).unwrap();
    let connector = builder.build();
    let mut streams: Vec<Stream> =
        (0..connections).map(|_| connector.connect("localhost", TcpStream::connect(("127.0.0.1", port)).unwrap()).unwrap()).collect();
    for turn in 0..requests {
        for (number, stream) in streams.iter_mut().enumerate() {
            get(stream, &format!("/c/{number}/{turn}"));
        }
    }
    for (number, stream) in streams.iter().enumerate() {
        println!("{number} {}", stream.get_ref().local_addr().unwrap().port());
    }
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    if words[1] == "serve" {
        serve(words[2].parse().unwrap(), &words[3], &words[4]);
    } else {
        call();
    }
}
