//! A TCP proxy on loopback that does to a link what networks do: it is cut in the middle of something, or it stalls.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// A proxy in front of one server. Dropped, it closes all connections.
pub struct Proxy {
    port: u16,
    link: Arc<Link>,
    accepting: JoinHandle<()>,
}

struct Link {
    server: SocketAddr,
    connections: AtomicU64,
    /// Bytes that went to the server.
    sent: AtomicU64,
    /// Bytes that may still go there before everything is cut; `None` is any number.
    left: Mutex<Option<u64>>,
    /// Rises with each cut.
    cuts: watch::Sender<u64>,
    stalled: watch::Sender<bool>,
}

impl Proxy {
    pub async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let link = Arc::new(Link {
            server,
            connections: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            left: Mutex::new(None),
            cuts: watch::Sender::new(0),
            stalled: watch::Sender::new(false),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&link)));
        Self { port, link, accepting }
    }

    /// The address of a database behind it.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Lets so many more bytes through to the server; then every connection is closed on both sides, and the next ones
    /// go through again.
    pub fn cut_after(&self, bytes: u64) {
        *self.link.left.lock().unwrap() = Some(bytes);
    }

    /// Takes back a cut that has not come; says whether there was one.
    pub fn mend(&self) -> bool {
        self.link.left.lock().unwrap().take().is_some()
    }

    /// Holds what comes, from both sides; new connections are taken and held as well.
    pub fn stall(&self) {
        self.link.stalled.send_replace(true);
    }

    /// Lets go of what was held.
    pub fn resume(&self) {
        self.link.stalled.send_replace(false);
    }

    /// Connections so far.
    pub fn connections(&self) -> u64 {
        self.link.connections.load(Ordering::Relaxed)
    }

    /// Bytes that went to the server so far.
    pub fn sent(&self) -> u64 {
        self.link.sent.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Link {
    /// How many of `count` bytes may go to the server.
    fn let_through(&self, count: usize) -> usize {
        let mut left = self.left.lock().unwrap();
        let Some(most) = *left else { return count };
        let allowed = usize::try_from(most).unwrap().min(count);
        *left = (allowed == count).then_some(most - allowed as u64);
        allowed
    }
}

async fn accept(listener: TcpListener, link: Arc<Link>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (client, _) = accepted.unwrap();
                link.connections.fetch_add(1, Ordering::Relaxed);
                connections.spawn(carry(client, Arc::clone(&link)));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Carries bytes both ways until one side is done or the link is cut; leaving closes both sides.
async fn carry(client: TcpStream, link: Arc<Link>) {
    let mut cuts = link.cuts.subscribe();
    let Ok(server) = TcpStream::connect(link.server).await else { return };
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    tokio::select! {
        _ = cuts.changed() => {}
        () = to_the_server(from_client, to_server, &link) => {}
        () = to_the_client(from_server, to_client, &link) => {}
    }
}

async fn to_the_server(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, link: &Link) {
    let (mut buffer, mut stalled) = (vec![0; 8_192], link.stalled.subscribe());
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        flows(&mut stalled).await;
        let allowed = link.let_through(count);
        if to.write_all(&buffer[..allowed]).await.is_err() {
            return;
        }
        link.sent.fetch_add(allowed as u64, Ordering::Relaxed);
        if allowed < count {
            link.cuts.send_modify(|cuts| *cuts += 1);
            return;
        }
    }
}

async fn to_the_client(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, link: &Link) {
    let (mut buffer, mut stalled) = (vec![0; 8_192], link.stalled.subscribe());
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        flows(&mut stalled).await;
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

/// Waits until the link is not stalled; its sender lives as long as the link.
async fn flows(stalled: &mut watch::Receiver<bool>) {
    let _ = stalled.wait_for(|stalled| !*stalled).await;
}
