//! Locks in the server: who writes, who migrates, whose engine it is.

use std::pin::pin;
use std::time::Duration;

use deadpool_postgres::GenericClient;
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;

use crate::host::{Clock, Tasks};
use crate::store::contract::Claim;
use crate::store::error::StoreError;
use crate::store::postgres::connect::{Alone, Connector};
use crate::store::postgres::explain::explain;
use crate::store::postgres::failure::Failure;
use crate::store::postgres::store::LIMIT;

/// An advisory lock: a number that the server keeps for us, apart from those of other programs ("openbell" in hexadecimal).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lock(i32);

const OURS: i32 = 0x6f62_656c;
/// One batch at a time is fused and written.
pub(crate) const WRITES: Lock = Lock(1);
/// One program at a time makes the tables.
pub(crate) const MIGRATES: Lock = Lock(2);
/// One engine records.
const RECORDS: Lock = Lock(3);

impl Lock {
    /// Waits for the lock; the end of the transaction gives it back.
    pub(crate) async fn wait(self, transaction: &impl GenericClient) -> Result<(), Failure> {
        transaction.execute("SELECT pg_advisory_xact_lock($1, $2)", &[&OURS, &self.0]).await?;
        Ok(())
    }

    /// Waits for the lock; the end of the connection gives it back.
    pub(crate) async fn wait_for_session(self, client: &Client) -> Result<(), tokio_postgres::Error> {
        client.execute("SELECT pg_advisory_lock($1, $2)", &[&OURS, &self.0]).await.map(drop)
    }

    async fn try_for_session(self, client: &Client) -> Result<bool, tokio_postgres::Error> {
        client.query_one("SELECT pg_try_advisory_lock($1, $2)", &[&OURS, &self.0]).await?.try_get(0)
    }

    /// Where the holder is connected from.
    async fn holder(self, client: &Client) -> Result<Option<String>, tokio_postgres::Error> {
        let sql = "SELECT CASE WHEN a.backend_start IS NULL THEN 'where, this user may not see' \
                   ELSE coalesce('at ' || host(a.client_addr), 'on the server itself') END FROM pg_locks l JOIN pg_stat_activity a USING (pid) \
                   WHERE l.locktype = 'advisory' AND l.classid::bigint = $1 AND l.objid::bigint = $2 AND l.granted \
                     AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) LIMIT 1";
        let row = client.query_opt(sql, &[&i64::from(OURS), &i64::from(self.0)]).await?;
        row.map(|row| row.try_get(0)).transpose()
    }
}

/// The engine's place, held by a connection of its own.
struct Held(CancellationToken);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Between tries to take the place again.
const PAUSE: Duration = Duration::from_secs(1);

/// Takes the engine's place. When the connection is lost it is taken again as soon as the server is back.
pub(crate) async fn claim(connector: Connector) -> Result<Claim, StoreError> {
    let name = connector.name();
    let alone = take(&connector).await?;
    let clock = Clock::system();
    let tasks = Tasks::new(clock.clone());
    let token = tasks.token();
    tasks.spawn("the engine's place", hold(connector, alone, clock, token.clone()));
    tracing::debug!("recording into {name} is ours");
    Ok(Box::new(Held(token)))
}

async fn take(connector: &Connector) -> Result<Alone, StoreError> {
    let name = connector.name();
    let mut alone = connector.alone().await?;
    let Ok(answer) = Clock::system().timeout(LIMIT, ask(&mut alone)).await else {
        return Err(StoreError::Away { name, message: "it does not answer".to_owned() });
    };
    match answer {
        Ok((true, _)) => Ok(alone),
        Ok((false, holder)) => Err(StoreError::Held { name, holder: holder.unwrap_or_else(|| "unknown".to_owned()) }),
        Err(error) => Err(explain("claim", &name, &error)),
    }
}

/// Whether the place is ours now, and who has it otherwise.
async fn ask(Alone { client, connection }: &mut Alone) -> Result<(bool, Option<String>), tokio_postgres::Error> {
    let question = async {
        let taken = RECORDS.try_for_session(client).await?;
        let holder = if taken { None } else { RECORDS.holder(client).await? };
        Ok((taken, holder))
    };
    let mut question = pin!(question);
    // Nobody else drives this connection yet; once it has ended the question answers that.
    tokio::select! {
        answer = &mut question => answer,
        () = connection => question.await,
    }
}

async fn hold(connector: Connector, mut alone: Alone, clock: Clock, token: CancellationToken) {
    loop {
        tokio::select! {
            () = token.cancelled() => return,
            () = &mut alone.connection => {}
        }
        let mut told = false;
        alone = loop {
            let answer = tokio::select! {
                () = token.cancelled() => return,
                answer = take(&connector) => answer,
            };
            match answer {
                Ok(again) => break again,
                Err(error @ StoreError::Held { .. }) if !told => {
                    tracing::warn!("while the server was away: {error}");
                    told = true;
                }
                Err(error) => tracing::debug!("cannot take the engine's place again: {error}"),
            }
            tokio::select! {
                () = token.cancelled() => return,
                () = clock.sleep(PAUSE) => {}
            }
        };
    }
}
