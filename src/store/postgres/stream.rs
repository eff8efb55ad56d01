//! Answers that are too long for one piece.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Object, Pool};
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, RowStream};

use crate::host::Clock;
use crate::store::error::StoreError;
use crate::store::postgres::explain::explain_pool;
use crate::store::postgres::failure::Failure;

/// Rows in one chunk.
pub(crate) const CHUNK: usize = 4_096;

/// Whom to ask.
pub(crate) struct Question {
    pub(crate) pool: Pool,
    pub(crate) streams: Arc<Semaphore>,
    pub(crate) clock: Clock,
    pub(crate) name: String,
    /// How long the first and each further chunk may take.
    pub(crate) limit: Duration,
}

/// A connection with an answer on its way.
struct Answer {
    /// `None` once the answer is whole.
    client: Option<Object>,
    rows: Pin<Box<RowStream>>,
    question: Question,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Answer {
    /// Somebody who has seen enough leaves a connection with an answer in it: nobody else shall wait for the rest.
    fn drop(&mut self) {
        drop(self.client.take().map(Object::take));
    }
}

/// Rows in chunks, as the server finds them: no more than a few are in memory at a time.
pub(crate) fn streamed<'a, T, F>(
    question: Question,
    sql: String,
    parameters: Vec<Box<dyn ToSql + Sync + Send>>,
    read: F,
) -> BoxStream<'a, Result<Vec<T>, StoreError>>
where
    T: Send + 'a,
    F: FnMut(&Row) -> Result<T, Failure> + Send + 'a,
{
    let started = async move {
        match ask(question, &sql, &parameters).await {
            Ok(answer) => stream::try_unfold((answer, read), next).boxed(),
            Err(error) => stream::iter([Err(error)]).boxed(),
        }
    };
    stream::once(started).flatten().boxed()
}

async fn ask(question: Question, sql: &str, parameters: &[Box<dyn ToSql + Sync + Send>]) -> Result<Answer, StoreError> {
    let permit = Arc::clone(&question.streams).acquire_owned().await.map_err(|_| StoreError::Closed)?;
    let client = question.pool.get().await.map_err(|error| explain_pool("read", &question.name, &error))?;
    let asked = async {
        let statement = client.prepare_cached(sql).await?;
        client.query_raw(&statement, parameters.iter().map(|parameter| &**parameter as &(dyn ToSql + Sync))).await
    };
    let Ok(rows) = question.clock.timeout(question.limit, asked).await else {
        // The answer may still come: nobody else shall wait for it.
        drop(Object::take(client));
        return Err(stalled(&question));
    };
    let rows = rows.map_err(|error| Failure::from(error).explain("read", &question.name))?;
    Ok(Answer { client: Some(client), rows: Box::pin(rows), question, _permit: permit })
}

async fn next<T, F>((mut answer, mut read): (Answer, F)) -> Result<Option<(Vec<T>, (Answer, F))>, StoreError>
where
    F: FnMut(&Row) -> Result<T, Failure>,
{
    if answer.client.is_none() {
        return Ok(None);
    }
    let mut chunk = Vec::with_capacity(CHUNK);
    let clock = answer.question.clock.clone();
    let filled = clock.timeout(answer.question.limit, async {
        while chunk.len() < CHUNK {
            let Some(row) = answer.rows.next().await else { break };
            chunk.push(read(&row?)?);
        }
        Ok::<_, Failure>(())
    });
    match filled.await {
        Err(_) => return Err(stalled(&answer.question)),
        Ok(Err(failure)) => return Err(failure.explain("read", &answer.question.name)),
        Ok(Ok(())) => {}
    }
    if chunk.len() < CHUNK {
        // The answer is whole: the connection is as good as new.
        drop(answer.client.take());
    }
    Ok((!chunk.is_empty()).then_some((chunk, (answer, read))))
}

fn stalled(question: &Question) -> StoreError {
    StoreError::Away { name: question.name.clone(), message: format!("no answer for {} s", question.limit.as_secs()) }
}
