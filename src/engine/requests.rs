//! Carrying out requests: each is answered, and what fails says why.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::calendar::Calendars;
use crate::engine::core::Core;
use crate::engine::jobs::history_route;
use crate::engine::setup::{Duty, Opened};
use crate::engine::watch;
use crate::export::export;
use crate::job::Planner;
use crate::market::{Instrument, InstrumentId, Interval, Symbol, Timestamp};
use crate::request::{BackfillAsk, EngineEvent, Estimate, ExportAsk, Reply, Request};
use crate::snapshot::Update;
use crate::store::Store;

/// How many stored bars a detail shows.
const DETAIL: usize = 240;

impl Core {
    /// Carries out one request and answers it.
    pub(crate) async fn carry_out(&mut self, request: Request) {
        let answer = match request {
            Request::AddSymbol(symbol) => self.add(symbol).await,
            Request::RemoveSymbol(symbol) => self.remove(&symbol).await,
            Request::Refresh => {
                self.feeds.refresh();
                Ok(Some(Reply::Done("asking every source".to_owned())))
            }
            Request::Estimate(ask) => {
                self.estimate(ask);
                Ok(None)
            }
            Request::Backfill(ask) => self.backfill(&ask).await,
            Request::Export(ask) => {
                self.export(ask);
                Ok(None)
            }
            Request::CancelJob(id) => Ok(Some(self.cancel(id))),
            Request::Detail(id) => self.detail(id).await.map(Some),
        };
        self.publish();
        match answer {
            Ok(Some(reply)) => self.tell(EngineEvent::Reply(reply)),
            Ok(None) => {}
            Err(error) => self.tell(EngineEvent::Reply(Reply::Failed(format!("{error:#}")))),
        }
    }

    async fn add(&mut self, symbol: Symbol) -> Result<Option<Reply>> {
        if self.watched.iter().any(|instrument| instrument.symbol == symbol) {
            bail!("{symbol} is on the list already");
        }
        if crate::engine::setup::route(&self.feeds.providers(), &symbol).is_none() {
            bail!("no enabled source has {symbol}");
        }
        let instrument = self.store.instrument(symbol.clone()).await?;
        self.watched.push(instrument);
        self.keep_list().await?;
        Ok(Some(Reply::Done(format!("{symbol} added"))))
    }

    async fn remove(&mut self, symbol: &Symbol) -> Result<Option<Reply>> {
        let before = self.watched.len();
        self.watched.retain(|instrument| instrument.symbol != *symbol);
        if self.watched.len() == before {
            bail!("{symbol} is not on the list");
        }
        self.keep_list().await?;
        Ok(Some(Reply::Done(format!("{symbol} removed; its history stays"))))
    }

    /// Another process may have changed the list in the store.
    pub(crate) async fn follow_list(&mut self) -> Result<()> {
        let Some(kept) = self.store.watchlist().await.context("load the watchlist")? else { return Ok(()) };
        if kept.iter().map(|instrument| instrument.id).eq(self.watched.iter().map(|instrument| instrument.id)) {
            return Ok(());
        }
        let before = std::mem::replace(&mut self.watched, kept);
        let shown = self.show_list().await;
        if shown.is_err() {
            // Tried again at the next look.
            self.watched = before;
        }
        shown
    }

    async fn keep_list(&mut self) -> Result<()> {
        if self.duty == Duty::Record {
            self.store.set_watchlist(self.watched.iter().map(|instrument| instrument.id).collect()).await.context("keep the watchlist")?;
        }
        self.show_list().await
    }

    /// Rows for what is watched now; those that were there keep what they know.
    async fn show_list(&mut self) -> Result<()> {
        let mut rows = Vec::new();
        for instrument in &self.watched {
            rows.push(match self.view.instrument(instrument.id) {
                Some(row) => (**row).clone(),
                None => watch::row(&*self.store, instrument.clone()).await?,
            });
        }
        self.fold(Update::Instruments(rows));
        self.feeds.subscribe(&self.watched, &mut self.live, self.clock.now());
        Ok(())
    }

    /// Reads years of bars for a long range: beside everything else. The latest question wins.
    fn estimate(&mut self, ask: BackfillAsk) {
        let token = self.exports().token().child_token();
        std::mem::replace(&mut self.estimating, token.clone()).cancel();
        let (store, calendars, providers) = (Arc::clone(&self.store), Arc::clone(&self.calendars), self.feeds.providers());
        let (events, now) = (self.events.clone(), self.clock.now());
        self.exports().spawn("estimate", async move {
            let reply = tokio::select! {
                estimate = estimate(&ask, &*store, &calendars, &providers, now) => match estimate {
                    Ok(estimate) => Reply::Estimate(estimate),
                    Err(error) => Reply::Failed(format!("{error:#}")),
                },
                () = token.cancelled() => return,
            };
            let _ = events.send(EngineEvent::Reply(reply)).await;
        });
    }

    async fn backfill(&mut self, ask: &BackfillAsk) -> Result<Option<Reply>> {
        if self.writer.is_none() {
            bail!("another engine owns the store: this screen writes nothing");
        }
        let jobs = self.queue_backfill(ask).await.map_err(anyhow::Error::msg)?;
        Ok(Some(Reply::Done(if jobs == 1 { "backfill queued".to_owned() } else { format!("{jobs} backfills queued") })))
    }

    /// Writes a file beside everything else; the answer comes when it is whole.
    fn export(&self, ask: ExportAsk) {
        let (store, events, token) = (Arc::clone(&self.store), self.events.clone(), self.exports().token());
        self.exports().spawn("export", async move {
            let reply = tokio::select! {
                exported = export(&*store, &ask) => match exported {
                    Ok(done) => Reply::Done(format!("{} rows in {}", done.rows, done.path.display())),
                    Err(error) => Reply::Failed(format!("export failed: {error:#}")),
                },
                () = token.cancelled() => return,
            };
            let _ = events.send(EngineEvent::Reply(reply)).await;
        });
    }

    fn cancel(&self, id: i64) -> Reply {
        if self.jobs.cancel(id) { Reply::Done(format!("job {id} stops")) } else { Reply::Failed(format!("job {id} is not at work")) }
    }

    async fn detail(&self, id: InstrumentId) -> Result<Reply> {
        let instrument = self.watched.iter().find(|instrument| instrument.id == id).context("the instrument left the list")?;
        let bars = watch::newest(&*self.store, instrument, Interval::OneMinute, DETAIL).await?;
        Ok(Reply::Detail(id, bars))
    }
}

async fn estimate(ask: &BackfillAsk, store: &dyn Store, calendars: &Calendars, providers: &[Opened], now: Timestamp) -> Result<Estimate> {
    let mut estimate = Estimate { ask: ask.clone(), requests: 0, time: Duration::ZERO, sources: Vec::new(), warning: None };
    // Looked up, not made: half a symbol that is being typed is no instrument.
    let known = store.instruments().await?;
    let mut out_of_reach = 0;
    for symbol in &ask.symbols {
        let (opened, _) = history_route(providers, symbol, ask.interval, ask.source.as_deref()).map_err(anyhow::Error::msg)?;
        let instrument = known.iter().find(|instrument| instrument.symbol == *symbol).cloned();
        let instrument = instrument.unwrap_or_else(|| Instrument::listed(InstrumentId(0), symbol.clone()));
        let calendar = calendars.get(&instrument.venue).with_context(|| format!("there is no calendar for {}", instrument.venue))?;
        let planner = Planner { store, provider: &*opened.provider, calendar, now };
        let plan = planner.plan(&instrument, ask.interval, ask.from, ask.to).await?;
        let requests = plan.pages.len() as u64;
        estimate.requests += requests;
        estimate.time += opened.provider.net().http.limiter().time_for(requests);
        out_of_reach += plan.out_of_reach;
        estimate.sources.push(opened.spec.name.to_owned());
    }
    estimate.sources.dedup();
    estimate.warning = (out_of_reach > 0).then(|| format!("{out_of_reach} bars are older than the source keeps"));
    Ok(estimate)
}
