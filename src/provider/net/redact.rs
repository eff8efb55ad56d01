//! Keys to services, taken out of whatever is told: sources repeat them in their answers.

use std::borrow::Cow;
use std::sync::Arc;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};

/// What stands where a key stood.
const HIDDEN: &str = "***";
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

    /// The text without the keys, as they are and as a URL writes them.
    #[must_use]
    pub fn hide<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        for secret in self.0.iter().map(ExposeSecret::expose_secret).filter(|secret| secret.len() >= SHORTEST) {
            let encoded = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
            for form in [secret, &encoded] {
                if text.contains(form) {
                    text = Cow::Owned(text.replace(form, HIDDEN));
                }
            }
        }
        text
    }
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
