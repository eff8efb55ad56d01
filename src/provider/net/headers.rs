//! What the headers of an answer say of limits.

use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};

use crate::market::Timestamp;

/// What is further away than this is no time that can be meant.
const FARTHEST: Duration = Duration::from_secs(2 * 86_400);

/// `X-RateLimit-Remaining` and `X-RateLimit-Reset`, the latter in Unix seconds or in seconds from now, as
/// "Market Data FAQ" (Alpaca) and "Rate limit" (Finnhub) have them.
#[must_use]
pub fn standard_headers(headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<i64>().ok();
    let left = number("x-ratelimit-remaining")?;
    let reset = number("x-ratelimit-reset").filter(|reset| left <= 0 && *reset > 0)?;
    let instant = Timestamp::from_seconds(reset);
    let until = if instant > now { instant } else { now + Duration::from_secs(u64::try_from(reset).ok()?) };
    (until.since(now) <= FARTHEST).then_some(until)
}

/// Seconds or a date, as RFC 9110 section 10.2.3 has it.
pub(crate) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => Timestamp::from_http_date(text)?.since(now),
    };
    Some(wait.min(FARTHEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_request_of_a_window_is_known_by_its_answer() {
        let now = Timestamp::from_seconds(1_795_176_000);
        let read = |left: &str, reset: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("X-RateLimit-Remaining", left.parse().unwrap());
            headers.insert("X-RateLimit-Reset", reset.parse().unwrap());
            standard_headers(&headers, now)
        };
        assert_eq!(read("1", "1795176030"), None);
        assert_eq!(read("0", "1795176030"), Some(now + Duration::from_secs(30)));
        assert_eq!(read("0", "30"), Some(now + Duration::from_secs(30)));
        assert_eq!(read("0", "1795999999999"), None, "not seconds");
        assert_eq!(read("none", "1795176030"), None);
        assert_eq!(standard_headers(&HeaderMap::new(), now), None);
    }

    #[test]
    fn a_wait_is_told_in_seconds_or_as_a_date() {
        let now = Timestamp::from_seconds(1_795_176_000);
        let read = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, value.parse().unwrap());
            retry_after(&headers, now)
        };
        assert_eq!(read("30"), Some(Duration::from_secs(30)));
        assert_eq!(read("Fri, 20 Nov 2026 12:01:00 GMT"), Some(Duration::from_secs(60)));
        assert_eq!(read("99999999999"), Some(FARTHEST));
        assert_eq!(read("soon"), None);
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
