//! What holds of whatever a decoder answers to whatever it is fed: no more comes out than went in, bars lie in the page that was asked
//! for, and words can be shown. There is no law about prices: which of them can be is the judge's to say.

use openbell::market::{Listed, SourceBar};
use openbell::provider::{DecodeError, DirectoryPage, HistoryPage, ProviderError, SaidStatus, StreamItem};

/// No message is as long, in bytes. The network part cuts what is told; what decoders answer must only not grow.
const LONGEST: usize = 300_000;

/// What a frame of a socket came to.
pub fn frame(frame: &[u8], decoded: &Result<Vec<StreamItem>, DecodeError>) {
    match decoded {
        Ok(items) => {
            count(frame, items.len());
            items.iter().for_each(|item| told(frame, item));
        }
        Err(error) => words(&error.message),
    }
}

/// A list.
pub fn list<T>(body: &[u8], answer: &Result<Vec<T>, ProviderError>) {
    if let Some(items) = value(answer) {
        count(body, items.len());
    }
}

/// Bars of a page, oldest first, each once.
pub fn bars(body: &[u8], page: &HistoryPage, answer: &Result<Vec<SourceBar>, ProviderError>) {
    let Some(bars) = value(answer) else { return };
    inside(body, page, bars);
    assert!(bars.is_sorted_by(|one, next| one.open_time < next.open_time), "bars are not in order, or one is there twice");
}

/// Bars of a page, as they came.
pub fn inside(body: &[u8], page: &HistoryPage, bars: &[SourceBar]) {
    count(body, bars.len());
    let is_inside = |bar: &SourceBar| page.from <= bar.open_time && bar.open_time < page.to && bar.interval == page.interval;
    assert!(bars.iter().all(is_inside), "a bar is not of the page");
}

/// A page of a list of instruments.
pub fn directory(body: &[u8], answer: &Result<DirectoryPage, ProviderError>) {
    if let Some(page) = value(answer) {
        listed(body, &page.listed, page.skipped);
    }
}

/// Instruments, and how many rows were none.
pub fn listed(body: &[u8], listed: &[Listed], skipped: usize) {
    count(body, listed.len() + skipped);
    listed.iter().filter_map(|listed| listed.name.as_deref()).for_each(shown);
}

/// States of markets.
pub fn states(body: &[u8], answer: &Result<Vec<SaidStatus>, ProviderError>) {
    let Some(states) = value(answer) else { return };
    count(body, states.len());
    states.iter().for_each(state);
}

/// The state of a market.
pub fn state(said: &SaidStatus) {
    shown(&said.market);
    shown(&said.state);
}

/// An answer in a few words.
pub fn text(answer: &Result<String, ProviderError>) {
    if let Some(said) = value(answer) {
        words(said);
    }
}

/// An answer, where it is one.
pub fn value<T>(answer: &Result<T, ProviderError>) -> Option<&T> {
    answer.as_ref().inspect_err(|error| fault(error)).ok()
}

/// The error that a body is in truth.
pub fn disguised(error: Option<&ProviderError>) {
    error.into_iter().for_each(fault);
}

/// The source's own words for an error.
pub fn explained(said: Option<&str>) {
    said.into_iter().for_each(words);
}

/// No list is longer than what it was read from.
pub fn count(bytes: &[u8], items: usize) {
    assert!(items <= 1 + bytes.len(), "{items} items of {} bytes", bytes.len());
}

/// A message.
pub fn words(text: &str) {
    shown(text);
    assert!(text.len() < LONGEST, "a message of {} bytes", text.len());
}

/// A text that cannot steer a terminal.
fn shown(text: &str) {
    assert!(!text.chars().any(char::is_control), "a control character in {text:?}");
}

fn fault(error: &ProviderError) {
    words(&error.to_string());
    if let ProviderError::Malformed { payload, .. } = error {
        words(payload);
    }
}

fn told(frame: &[u8], item: &StreamItem) {
    match item {
        StreamItem::Refused(said) | StreamItem::Leaving(said) => words(said),
        StreamItem::Ended(error) => fault(error),
        StreamItem::Confirmed(spellings) => count(frame, spellings.len()),
        StreamItem::Event(_) | StreamItem::Greeted | StreamItem::Admitted | StreamItem::Subscribed => {}
    }
}
