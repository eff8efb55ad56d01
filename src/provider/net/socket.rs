//! Sockets: over the network, or over a pipe in this process.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue, Uri};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, client_async_tls_with_config, tungstenite};

use crate::host::Clock;
use crate::market::{Timestamp, clean};
use crate::provider::contract::ProviderError;
use crate::provider::net::headers::retry_after;
use crate::provider::net::tls::client_config;
use crate::provider::protocol::Protocol;

const CONNECT: Duration = Duration::from_secs(10);
/// No honest frame is larger.
const MAX_FRAME: usize = 8 << 20;
/// What may wait to be sent before the connection is given up.
const MAX_UNSENT: usize = 1 << 20;

/// Bytes both ways.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A socket that speaks frames.
pub type Socket = WebSocketStream<MaybeTlsStream<Box<dyn Io>>>;

/// Who makes connections.
pub trait Connect: Send + Sync {
    /// Bytes to and from `host:port`.
    fn connect<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, std::io::Result<Box<dyn Io>>>;
}

/// Makes sockets.
#[derive(Clone)]
pub struct Sockets {
    connect: Arc<dyn Connect>,
    clock: Clock,
}

struct Network;

impl Connect for Network {
    fn connect<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, std::io::Result<Box<dyn Io>>> {
        Box::pin(async move {
            let stream = TcpStream::connect((host, port)).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Box<dyn Io>)
        })
    }
}

impl Sockets {
    /// Sockets over the network.
    #[must_use]
    pub fn network(clock: Clock) -> Self {
        Self { connect: Arc::new(Network), clock }
    }

    /// Sockets over whatever `connect` makes.
    #[must_use]
    pub fn over(connect: Arc<dyn Connect>, clock: Clock) -> Self {
        Self { connect, clock }
    }

    /// Connects and shakes hands.
    pub async fn open(&self, protocol: &dyn Protocol) -> Result<Socket, ProviderError> {
        let url = protocol.url();
        let uri: Uri = url.parse().map_err(|_| ProviderError::Fatal { message: "the stream's URL is not a URL".to_owned() })?;
        let host = uri.host().unwrap_or_default().to_owned();
        let opened = self.clock.timeout(CONNECT, Box::pin(self.shake_hands(&uri, &host, protocol))).await;
        opened.unwrap_or_else(|_| Err(retryable(format!("{host} did not answer in {} s", CONNECT.as_secs()))))
    }

    async fn shake_hands(&self, uri: &Uri, host: &str, protocol: &dyn Protocol) -> Result<Socket, ProviderError> {
        let secure = uri.scheme_str() == Some("wss");
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let mut request = uri.into_client_request().map_err(|e| ProviderError::Fatal { message: format!("{host}: {e}") })?;
        for (name, value) in protocol.headers() {
            let unfit = || ProviderError::Fatal { message: format!("{host}: the header {name} cannot be sent") };
            let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unfit())?;
            let value = HeaderValue::from_str(&value).map_err(|_| unfit())?;
            request.headers_mut().insert(key, value);
        }
        let bytes = self.connect.connect(host, port).await.map_err(|e| retryable(format!("{host} cannot be reached ({e})")))?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(MAX_FRAME))
            .max_frame_size(Some(MAX_FRAME))
            .max_write_buffer_size(MAX_UNSENT + (128 << 10));
        let tls = if secure { Connector::Rustls(client_config()) } else { Connector::Plain };
        let shaken = client_async_tls_with_config(request, bytes, Some(config), Some(tls)).await;
        shaken.map(|(socket, _)| socket).map_err(|e| refused(host, e, self.clock.now()))
    }
}

fn refused(host: &str, error: tungstenite::Error, now: Timestamp) -> ProviderError {
    let tungstenite::Error::Http(response) = error else {
        return retryable(format!("{host} refused the socket ({})", clean(&error.to_string())));
    };
    let status = response.status().as_u16();
    let message = format!("{host} answered {status} to the socket");
    match status {
        401 => ProviderError::Unauthorized { message },
        403 | 451 => ProviderError::NotEntitled { message },
        404 => ProviderError::NotFound { message },
        // 418 is how Binance says that an address is banned for a while.
        429 | 418 => ProviderError::RateLimited { after: retry_after(response.headers(), now) },
        _ => retryable(message),
    }
}

fn retryable(message: String) -> ProviderError {
    ProviderError::Retryable { message, after: None }
}

impl fmt::Debug for Sockets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sockets")
    }
}
