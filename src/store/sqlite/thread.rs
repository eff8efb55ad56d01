//! A connection on a thread of its own: SQLite waits, and nobody else should.

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::store::contract::StoreError;

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

    /// Hands the connection work that answers by itself.
    pub(crate) async fn run(&self, work: impl FnOnce(&mut Connection) + Send + 'static) -> Result<(), StoreError> {
        self.work.send(Box::new(work)).await.map_err(|_| StoreError::Closed)
    }
}
