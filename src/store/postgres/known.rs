//! What does not change while a store is open, unless another one is put in its place.

use deadpool_postgres::GenericClient;

use crate::pipeline::Ranks;
use crate::store::copy::COPYING;
use crate::store::postgres::failure::Failure;
use crate::store::postgres::partition::Partitions;

/// What is known of the store since it was opened.
pub(crate) struct Known {
    /// Which store it is.
    pub(crate) id: Option<String>,
    pub(crate) ranks: Ranks,
    pub(crate) partitions: Partitions,
}

impl Known {
    pub(crate) async fn find(client: &impl GenericClient, ranks: Ranks) -> Result<Self, Failure> {
        let partitions = Partitions::find(client).await?;
        Ok(Self { id: about(client).await?.0, ranks, partitions })
    }

    /// A connection that was lost and made anew may lead to what was restored meanwhile: there our numbers mean other
    /// instruments, so nothing is written.
    pub(crate) async fn is_the_same(&self, client: &impl GenericClient) -> Result<(), Failure> {
        let (id, copying) = about(client).await?;
        if id == self.id && copying.is_none() { Ok(()) } else { Err(Failure::Replaced) }
    }
}

/// The id, and what is being copied into it.
async fn about(client: &impl GenericClient) -> Result<(Option<String>, Option<String>), Failure> {
    let sql = "SELECT (SELECT value FROM about WHERE key = 'id'), (SELECT value FROM about WHERE key = $1)";
    let statement = client.prepare_cached(sql).await?;
    let row = client.query_one(&statement, &[&COPYING]).await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}
