//! A connection on a thread of its own: SQLite waits, and nobody else should.

use futures_util::stream::{self, BoxStream, StreamExt};
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::store::error::StoreError;
use crate::store::sqlite::open::explain;

/// Rows in one chunk of a stream.
pub(crate) const CHUNK: usize = 4_096;
/// How many questions may wait for a connection.
const QUEUE: usize = 64;

type Work = Box<dyn FnOnce(&mut Connection) + Send>;

/// Questions to one connection, answered in order.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionThread {
    work: mpsc::Sender<Work>,
}

impl ConnectionThread {
    /// Gives the connection a thread; it is closed when the last handle is gone.
    pub(crate) fn start(name: &str, mut connection: Connection) -> std::io::Result<Self> {
        let (work, mut queue) = mpsc::channel::<Work>(QUEUE);
        std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            while let Some(work) = queue.blocking_recv() {
                work(&mut connection);
            }
        })?;
        Ok(Self { work })
    }

    /// Asks the connection and waits for the answer.
    pub(crate) async fn ask<T, F>(&self, question: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let work: Work = Box::new(move |connection| {
            // Nobody listens any more when the asker was cancelled.
            let _ = answer.send(question(connection));
        });
        self.work.send(work).await.map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?
    }

    /// Hands chunks over as the connection finds them, until nobody listens; `name` is the store's.
    pub(crate) fn streamed<T, F>(&self, name: String, question: F) -> BoxStream<'_, Result<Vec<T>, StoreError>>
    where
        T: Send + 'static,
        F: FnOnce(&Connection, &mut dyn FnMut(Vec<T>) -> bool) -> rusqlite::Result<()> + Send + 'static,
    {
        let (chunks, receiver) = mpsc::channel(4);
        let work: Work = Box::new(move |connection| {
            let done = question(connection, &mut |chunk| chunks.blocking_send(Ok(chunk)).is_ok());
            if let Err(error) = done {
                let _ = chunks.blocking_send(Err(explain("read", &name, &error)));
            }
        });
        let started = async move {
            match self.work.send(work).await {
                Ok(()) => stream::unfold(receiver, |mut receiver| async { receiver.recv().await.map(|chunk| (chunk, receiver)) }).boxed(),
                Err(_) => stream::iter([Err(StoreError::Closed)]).boxed(),
            }
        };
        stream::once(started).flatten().boxed()
    }
}
