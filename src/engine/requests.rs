//! Carrying out requests: each is answered, and what fails says why. What takes the store goes to the desk.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::sync::mpsc::error::TrySendError;

use crate::calendar::Calendars;
use crate::engine::core::Core;
use crate::engine::desk::{Answer, Errand, List};
use crate::engine::setup::Duty;
use crate::engine::sources::Sources;
use crate::export::export;
use crate::job::Planner;
use crate::market::{Instrument, InstrumentId, Timestamp};
use crate::request::{BackfillAsk, EngineEvent, Estimate, ExportAsk, Reply, Request};
use crate::snapshot::{InstrumentView, Update};
use crate::store::Store;

impl Core {
    /// Carries out one request; the answer may come later.
    pub(crate) fn carry_out(&mut self, request: Request) {
        match request {
            Request::AddSymbol(symbol) => self.send_to_desk(Errand::Add(symbol)),
            Request::RemoveSymbol(symbol) => self.send_to_desk(Errand::Remove(symbol)),
            Request::Backfill(ask) => self.send_to_desk(Errand::Backfill(ask)),
            Request::Detail(id) => self.send_to_desk(Errand::Detail(id)),
            Request::Estimate(ask) => self.estimate(ask),
            Request::Export(ask) => self.export(ask),
            Request::Refresh => {
                self.feeds.refresh();
                self.reply(Reply::Done("asking every source".to_owned()));
            }
            Request::Seen(instruments) => self.feeds.seen(instruments),
            Request::CancelJob(id) => self.reply(self.cancel(id)),
        }
    }

    fn send_to_desk(&mut self, errand: Errand) {
        let refused = match self.desk.try_send(errand) {
            Ok(()) => return,
            Err(TrySendError::Full(_)) => "the store does not answer, and too much waits for it: try again later",
            Err(TrySendError::Closed(_)) => "the engine ends",
        };
        self.reply(Reply::Failed(refused.to_owned()));
    }

    /// Has the desk look at what others changed in the store; a slow look is not followed by another before it is done.
    pub(crate) fn look_into_store(&mut self) {
        // Jobs whose pages wait in the spool look unfinished in the store: they are not begun anew.
        if self.looking || self.duty == Duty::Watch || self.view.writer.spooled > 0 {
            return;
        }
        let at_work = self.jobs.look_begins();
        self.looking = self.desk.try_send(Errand::Look(at_work)).is_ok();
    }

    /// Takes what the desk brings from the store.
    pub(crate) fn answered(&mut self, Answer { list, jobs, reply, looked }: Answer) {
        self.looking &= !looked;
        if let Some(list) = list {
            self.show_list(list);
        }
        for job in jobs {
            self.start_job(job);
        }
        if let Some(reply) = reply {
            self.reply(reply);
        }
    }

    /// Answers, once the picture shows what the answer tells of.
    fn reply(&mut self, reply: Reply) {
        self.publish();
        self.tell(EngineEvent::Reply(reply));
    }

    /// Rows for what is watched now; those that were there keep what they know.
    fn show_list(&mut self, List { instruments, fresh }: List) {
        let mut fresh: HashMap<_, _> = fresh.into_iter().map(|row| (row.instrument.id, row)).collect();
        let row = |instrument: &Instrument| match self.view.instrument(instrument.id) {
            Some(row) => (**row).clone(),
            None => fresh.remove(&instrument.id).unwrap_or_else(|| InstrumentView::new(instrument.clone())),
        };
        let rows = instruments.iter().map(row).collect();
        self.watched = instruments;
        self.fold(Update::Instruments(rows));
        self.ticks.follow(&self.view);
        self.feeds.subscribe(&self.watched, &mut self.live, self.clock.now());
    }

    /// Reads years of bars for a long range: beside everything else. The latest question wins.
    fn estimate(&mut self, ask: BackfillAsk) {
        let token = self.exports().token().child_token();
        std::mem::replace(&mut self.estimating, token.clone()).cancel();
        let (store, calendars, sources) = (Arc::clone(&self.store), Arc::clone(&self.calendars), self.feeds.sources().clone());
        let (events, now) = (self.events.clone(), self.clock.now());
        self.exports().spawn("estimate", async move {
            let reply = tokio::select! {
                estimate = estimate(&ask, &*store, &calendars, &sources, now) => match estimate {
                    Ok(estimate) => Reply::Estimate(estimate),
                    Err(error) => Reply::Failed(format!("{error:#}")),
                },
                () = token.cancelled() => return,
            };
            let _ = events.send(EngineEvent::Reply(reply)).await;
        });
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
}

async fn estimate(ask: &BackfillAsk, store: &dyn Store, calendars: &Calendars, sources: &Sources, now: Timestamp) -> Result<Estimate> {
    let mut estimate = Estimate { ask: ask.clone(), requests: 0, time: Duration::ZERO, sources: Vec::new(), warning: None };
    // Looked up, not made: half a symbol that is being typed is no instrument.
    let known = store.instruments().await?;
    let mut out_of_reach = 0;
    for symbol in &ask.symbols {
        let (opened, _) = sources.history(symbol, ask.interval, ask.source.as_deref()).map_err(anyhow::Error::msg)?;
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
