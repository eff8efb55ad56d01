//! Keys to services, taken out of whatever is told: sources repeat them in their answers.

use std::borrow::Cow;
use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;

use regex::bytes::Regex;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::provider::contract::ProviderError;

/// What stands where a key stood.
const HIDDEN: &str = "***";
/// No line of a screen or log has to be longer.
const LONGEST: usize = 1_000;
/// How much of a wrong answer is kept.
const PAYLOAD: usize = 2_000;
/// A shorter one would take too much out of honest texts.
const SHORTEST: usize = 8;

/// Takes the keys of one provider out of texts. It cannot be printed.
#[derive(Clone, Default)]
pub struct Redact {
    secrets: Arc<[SecretString]>,
    /// Any of them, however it is written.
    any: Option<Arc<Regex>>,
}

impl Redact {
    #[must_use]
    pub fn new(secrets: Vec<SecretString>) -> Self {
        let long = secrets.iter().map(ExposeSecret::expose_secret).filter(|secret| secret.len() >= SHORTEST);
        let patterns: Vec<_> = long.map(pattern).collect();
        let any =
            (!patterns.is_empty()).then(|| Regex::new(&format!("(?-u){}", patterns.join("|"))).expect("bytes in a row are a pattern"));
        Self { secrets: secrets.into(), any: any.map(Arc::new) }
    }

    /// The text without the keys.
    #[must_use]
    pub fn hide<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.bytes(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }

    /// What a source sent, without the keys: from there on they are nowhere.
    #[must_use]
    pub(crate) fn bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        self.any.as_ref().map_or(Cow::Borrowed(bytes), |any| any.replace_all(bytes, HIDDEN.as_bytes()))
    }

    /// What tells these keys from others, and nothing of what they are.
    #[must_use]
    pub(crate) fn fingerprint(&self) -> String {
        let digest =
            self.secrets.iter().fold(Sha256::new(), |digest, secret| digest.chain_update(secret.expose_secret()).chain_update([0]));
        digest.finalize().iter().take(4).fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
    }

    /// What is told to people: without the keys, and no longer than anybody reads.
    #[must_use]
    pub(crate) fn told(&self, text: &str) -> String {
        cut(&self.hide(text), LONGEST)
    }

    /// An error without the keys: sources repeat them in their words.
    #[must_use]
    pub(crate) fn error(&self, error: ProviderError) -> ProviderError {
        let told = |text: String| self.told(&text);
        match error {
            ProviderError::Retryable { message, after } => ProviderError::Retryable { message: told(message), after },
            ProviderError::UsedUp { message, until } => ProviderError::UsedUp { message: told(message), until },
            ProviderError::Unauthorized { message } => ProviderError::Unauthorized { message: told(message) },
            ProviderError::NotEntitled { message } => ProviderError::NotEntitled { message: told(message) },
            ProviderError::NotFound { message } => ProviderError::NotFound { message: told(message) },
            ProviderError::Malformed { message, payload } => {
                ProviderError::Malformed { message: told(message), payload: cut(&self.hide(&payload), PAYLOAD) }
            }
            ProviderError::Fatal { message } => ProviderError::Fatal { message: told(message) },
            error @ ProviderError::RateLimited { .. } => error,
        }
    }
}

impl fmt::Debug for Redact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redact({} keys)", self.secrets.len())
    }
}

/// A key as it is, and as URLs and JSON may write it, byte by byte: some encode what they need not.
fn pattern(secret: &str) -> String {
    secret.bytes().fold(String::new(), |mut pattern, byte| {
        let hex: String = format!("{byte:02x}").chars().map(either_case).collect();
        let _ = write!(pattern, r"(?:\x{byte:02x}|%{hex}");
        if byte.is_ascii() {
            let _ = write!(pattern, r"|\\u00{hex}");
        }
        pattern += match byte {
            b'/' => r"|\\/",
            b'"' => r#"|\\""#,
            b'\\' => r"|\\\\",
            b' ' => r"|\+",
            _ => "",
        };
        pattern + ")"
    })
}

fn either_case(digit: char) -> String {
    if digit.is_ascii_digit() { digit.to_string() } else { format!("[{digit}{}]", digit.to_ascii_uppercase()) }
}

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most { text.to_owned() } else { text.chars().take(most - 1).chain(std::iter::once('…')).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_taken_out_in_every_form() {
        let redact = Redact::new(vec!["AB/C+1 \"2\"".into(), "short".into()]);
        for form in [r#"AB/C+1 "2""#, "AB%2FC%2B1%20%222%22", "AB%2fC%2b1+%222%22", r#"AB\/C+1 \"2\""#, r"AB\/C\u002b1\u0020\u00222\u0022"]
        {
            assert_eq!(redact.hide(&format!("key={form}&a=1, {form}")), "key=***&a=1, ***", "{form}");
        }
        assert!(matches!(redact.hide("nothing, and a short one"), Cow::Borrowed("nothing, and a short one")));
        assert_eq!(Redact::new(vec!["schlüssel-1".into()]).hide("a schlüssel-1, schl%C3%BCssel-1"), "a ***, ***");
    }

    #[test]
    fn it_does_not_tell_the_keys_itself() {
        assert_eq!(format!("{:?}", Redact::new(vec!["a-key-of-ours".into()])), "Redact(1 keys)");
    }
}
