//! Keys to services, taken out of whatever is told: sources repeat them in their answers.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
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
const SHORTEST: usize = 4;

/// Takes the keys of one provider out of texts.
#[derive(Clone, Debug, Default)]
pub struct Redact(Arc<[SecretString]>);

impl Redact {
    #[must_use]
    pub fn new(secrets: Vec<SecretString>) -> Self {
        Self(secrets.into())
    }

    /// The text without the keys, as they are and as URLs write them.
    #[must_use]
    pub fn hide<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        for secret in self.0.iter().map(ExposeSecret::expose_secret).filter(|secret| secret.len() >= SHORTEST) {
            for form in forms(secret) {
                if text.contains(&form) {
                    text = Cow::Owned(text.replace(&form, HIDDEN));
                }
            }
        }
        text
    }

    /// What tells these keys from others, and nothing of what they are.
    #[must_use]
    pub(crate) fn fingerprint(&self) -> String {
        let digest = self.0.iter().fold(Sha256::new(), |digest, secret| digest.chain_update(secret.expose_secret()).chain_update([0]));
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

/// A key as it is, and as URLs write it: everything encoded or only what must be, with large or small digits.
fn forms(secret: &str) -> BTreeSet<String> {
    let encoded = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
    let usual: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let small = |text: &str| {
        text.split('%')
            .enumerate()
            .map(|(at, part)| if at == 0 { part.to_owned() } else { small_digits(part) })
            .collect::<Vec<_>>()
            .join("%")
    };
    [secret.to_owned(), small(&encoded), small(&usual), encoded, usual].into()
}

fn small_digits(part: &str) -> String {
    let (digits, rest) = part.split_at(part.len().min(2));
    digits.to_ascii_lowercase() + rest
}

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most { text.to_owned() } else { text.chars().take(most - 1).chain(std::iter::once('…')).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_taken_out_in_every_form() {
        let redact = Redact::new(vec!["AB/C+1 2".into(), "x".into()]);
        assert_eq!(redact.hide("detected your API key as AB/C+1 2 and x"), "detected your API key as *** and x");
        assert_eq!(redact.hide("?apikey=AB%2FC%2B1%202&a=1"), "?apikey=***&a=1");
        assert!(matches!(redact.hide("nothing"), Cow::Borrowed("nothing")));
    }
}
