//! What of Alpaca the config chooses: one of its feeds, and channels of the feed's socket.

use crate::market::Delay;

/// All that is chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    pub feed: DataFeed,
    pub channels: Vec<Channel>,
    /// How many symbols the socket may carry; 0 where there is no limit.
    pub symbols_most: u64,
}

/// A feed of prices: "About Market Data API", <https://docs.alpaca.markets>.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataFeed {
    /// Trades of one venue, IEX: a few per cent of the volume.
    Iex,
    /// Trades of all venues.
    Sip,
    /// The same, 15 minutes late.
    DelayedSip,
    /// One made-up symbol, at all hours.
    Test,
}

/// A channel of the socket: "Real-time Stock Data", <https://docs.alpaca.markets>.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    Trades,
    Quotes,
    Bars,
    UpdatedBars,
    DailyBars,
    Statuses,
}

impl DataFeed {
    /// The words of the config, which are the vendor's.
    pub const NAMES: &'static [&'static str] = &["iex", "sip", "delayed_sip", "test"];

    /// The one symbol of [`DataFeed::Test`].
    pub const TEST_SYMBOL: &'static str = "FAKEPACA";

    /// The feed of a name; the free one of a name that is none.
    #[must_use]
    pub fn named(name: &str) -> Self {
        let all = [Self::Iex, Self::Sip, Self::DelayedSip, Self::Test];
        all.into_iter().find(|feed| feed.name() == name).unwrap_or(Self::Iex)
    }

    /// The last part of the socket's path.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Iex => "iex",
            Self::Sip => "sip",
            Self::DelayedSip => "delayed_sip",
            Self::Test => "test",
        }
    }

    /// How late its prices are by agreement.
    #[must_use]
    pub const fn delay(self) -> Delay {
        match self {
            Self::Iex | Self::Sip | Self::Test => Delay::RealTime,
            Self::DelayedSip => Delay::Seconds(900),
        }
    }

    /// What its bars are asked of: late trades are all venues' trades once they are old.
    #[must_use]
    pub const fn of_bars(self) -> &'static str {
        match self {
            Self::Iex | Self::Test => "iex",
            Self::Sip | Self::DelayedSip => "sip",
        }
    }

    /// What single looks are asked of.
    #[must_use]
    pub const fn of_looks(self) -> &'static str {
        match self {
            Self::Iex | Self::Test => "iex",
            Self::Sip => "sip",
            Self::DelayedSip => "delayed_sip",
        }
    }

    /// Whether it knows a symbol at all: one that it does not know is accepted in silence.
    #[must_use]
    pub fn has(self, spelling: &str) -> bool {
        match self {
            Self::Iex | Self::Sip | Self::DelayedSip => spelling != Self::TEST_SYMBOL,
            Self::Test => spelling == Self::TEST_SYMBOL,
        }
    }
}

impl Channel {
    /// The words of the config, which are the socket's.
    pub const NAMES: &'static [&'static str] = &["trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses"];
    pub const ALL: [Self; 6] = [Self::Trades, Self::Quotes, Self::Bars, Self::UpdatedBars, Self::DailyBars, Self::Statuses];

    /// As the socket calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trades => "trades",
            Self::Quotes => "quotes",
            Self::Bars => "bars",
            Self::UpdatedBars => "updatedBars",
            Self::DailyBars => "dailyBars",
            Self::Statuses => "statuses",
        }
    }

    /// The channels of these names, each once; trades where none of them is one.
    #[must_use]
    pub fn chosen(names: &[String]) -> Vec<Self> {
        let chosen: Vec<_> = Self::ALL.into_iter().filter(|channel| names.iter().any(|name| name == channel.name())).collect();
        if chosen.is_empty() { vec![Self::Trades] } else { chosen }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for name in DataFeed::NAMES {
            assert_eq!(DataFeed::named(name).name(), *name);
        }
        assert_eq!(Channel::ALL.map(Channel::name), Channel::NAMES);
        for channel in Channel::ALL {
            assert_eq!(Channel::chosen(&[channel.name().to_owned()]), [channel]);
        }
        assert_eq!(Channel::chosen(&["lulds".to_owned()]), [Channel::Trades]);
    }

    #[test]
    fn the_test_feed_has_one_symbol_and_no_other_feed_has_it() {
        assert!(DataFeed::Test.has("FAKEPACA") && !DataFeed::Test.has("AAPL"));
        assert!(DataFeed::Iex.has("AAPL") && !DataFeed::Iex.has("FAKEPACA"));
    }
}
