//! What Binance has forbidden: it bans whoever goes on asking, and longer each time. It asks nothing.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::market::Timestamp;
use crate::provider::binance::body::UNKNOWN_SYMBOL;
use crate::provider::contract::ProviderError;

/// What was forbidden so far, for everyone who asks in this process.
#[derive(Debug, Default)]
pub struct Ban {
    /// Nothing may be asked before this instant, in microseconds since 1970.
    until_micros: AtomicI64,
    /// The refusal of this network, which lasts as long as we run.
    place: OnceLock<String>,
}

impl Ban {
    /// Whether anything may be asked now.
    pub fn check(&self, now: Timestamp) -> Result<(), ProviderError> {
        if let Some(message) = self.place.get() {
            return Err(ProviderError::NotEntitled { message: message.clone() });
        }
        let until = Timestamp::from_micros(self.until_micros.load(Ordering::Relaxed));
        if now < until { Err(ProviderError::RateLimited { after: Some(until.since(now)) }) } else { Ok(()) }
    }

    /// Remembers what a refusal means for what is asked next, and calls an unknown symbol by its name.
    pub fn learn(&self, error: ProviderError, now: Timestamp) -> ProviderError {
        if let ProviderError::RateLimited { after: Some(wait) } = &error {
            self.until_micros.fetch_max((now + *wait).as_micros(), Ordering::Relaxed);
        }
        if let ProviderError::NotEntitled { message } = &error
            && message.contains(": 451")
        {
            // Who was first does not matter: the words are the same.
            let _ = self.place.set(message.clone());
        }
        match error {
            ProviderError::Fatal { message } if message.ends_with(UNKNOWN_SYMBOL) => ProviderError::NotFound { message },
            error => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOON: Timestamp = Timestamp::from_seconds(1_795_176_000);

    #[test]
    fn a_ban_lasts_as_long_as_it_was_said() {
        let ban = Ban::default();
        assert_eq!(ban.check(NOON), Ok(()));
        let wait = Duration::from_secs(120);
        let limited = ProviderError::RateLimited { after: Some(wait) };
        assert_eq!(ban.learn(limited.clone(), NOON), limited);
        assert_eq!(ban.check(NOON), Err(limited));
        // A shorter one that is told later does not lift it.
        ban.learn(ProviderError::RateLimited { after: Some(Duration::from_secs(1)) }, NOON);
        let left = ProviderError::RateLimited { after: Some(Duration::from_secs(1)) };
        assert_eq!(ban.check(NOON + Duration::from_secs(119)), Err(left));
        assert_eq!(ban.check(NOON + wait), Ok(()));
    }

    #[test]
    fn a_network_that_is_refused_stays_so() {
        let ban = Ban::default();
        let firewall = ProviderError::NotEntitled { message: "binance klines of BTCUSDT: 403".to_owned() };
        assert_eq!(ban.learn(firewall.clone(), NOON), firewall);
        assert_eq!(ban.check(NOON), Ok(()));
        let place = ProviderError::NotEntitled { message: "binance klines of BTCUSDT: 451: restricted location (0)".to_owned() };
        assert_eq!(ban.learn(place.clone(), NOON), place);
        assert_eq!(ban.check(NOON + Duration::from_secs(86_400)), Err(place));
    }

    #[test]
    fn a_symbol_that_does_not_exist_is_not_found() {
        let ban = Ban::default();
        let message = "binance klines of NOUSDT: 400: Invalid symbol. (-1121)".to_owned();
        let found = ban.learn(ProviderError::Fatal { message: message.clone() }, NOON);
        assert_eq!(found, ProviderError::NotFound { message });
        let other = ProviderError::Fatal { message: "binance klines of BTCUSDT: 400: Invalid interval. (-1120)".to_owned() };
        assert_eq!(ban.learn(other.clone(), NOON), other);
    }
}
