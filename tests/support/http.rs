//! An HTTP server in the test: what it answers is the test's own.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

pub struct Server {
    pub url: String,
    /// The heads of all requests so far.
    heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// One connection an answer; `answer` (n, the request's head) → the bytes sent back.
    pub fn new(answer: impl Fn(usize, &str) -> Vec<u8> + Send + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/weights.pt", listener.local_addr().unwrap());
        let heads = Arc::new(Mutex::new(Vec::new()));
        let kept = heads.clone();
        std::thread::spawn(move || {
            for (n, stream) in listener.incoming().enumerate() {
                let mut stream = stream.unwrap();
                let (mut head, mut byte) = (Vec::new(), [0]);
                while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
                    head.push(byte[0]);
                }
                let head = String::from_utf8(head).unwrap().to_lowercase();
                let bytes = answer(n, &head);
                kept.lock().unwrap().push(head);
                stream.write_all(&bytes).unwrap();
            }
        });
        Server { url, heads }
    }

    pub fn head(&self, n: usize) -> String {
        self.heads.lock().unwrap()[n].clone()
    }

    pub fn count(&self) -> usize {
        self.heads.lock().unwrap().len()
    }
}

pub fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {status}\r\nConnection: close\r\n{headers}\r\n").into_bytes();
    bytes.extend(body);
    bytes
}

/// The whole file, or what a range asks of it.
pub fn serve(head: &str, bytes: &[u8]) -> Vec<u8> {
    let n = bytes.len();
    let range = head
        .lines()
        .find_map(|line| line.strip_prefix("range: bytes="));
    match range.and_then(|range| range.strip_suffix('-')?.parse::<usize>().ok()) {
        Some(from) if from >= n => answer(
            "416 Range Not Satisfiable",
            &format!("Content-Length: 0\r\nContent-Range: bytes */{n}\r\n"),
            b"",
        ),
        Some(from) => answer(
            "206 Partial Content",
            &format!(
                "Content-Length: {}\r\nContent-Range: bytes {from}-{}/{n}\r\nETag: \"a\"\r\n",
                n - from,
                n - 1
            ),
            &bytes[from..],
        ),
        None => answer(
            "200 OK",
            &format!("Content-Length: {n}\r\nETag: \"a\"\r\n"),
            bytes,
        ),
    }
}

pub fn cut(mut answer: Vec<u8>, keep: usize) -> Vec<u8> {
    let head = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
    answer.truncate(head + keep);
    answer
}
