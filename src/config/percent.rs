//! Texts inside an address: what has a meaning there is written as `%` and two digits.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What means nothing in an address, whatever part of it this is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// `%41` becomes `A`; a plus stays a plus, as libpq has it. The error says what is wrong, never with what.
pub(crate) fn decoded(text: &str) -> Result<String, &'static str> {
    let is_byte = |rest: &str| rest.as_bytes().get(..2).is_some_and(|pair| pair.iter().all(u8::is_ascii_hexdigit) && pair != b"00");
    if !text.split('%').skip(1).all(is_byte) {
        return Err("a % in it is not followed by the two digits of a byte");
    }
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(std::borrow::Cow::into_owned).map_err(|_| "what is encoded with % in it is not UTF-8")
}

/// Everything but letters, digits and `-._~` as the digits of its bytes.
pub(crate) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded_and_what_cannot_be_is_refused() {
        for text in ["", "plain", "a@b:c/d?e#f%g+h", "é \u{7}"] {
            assert_eq!(decoded(&encoded(text)).as_deref(), Ok(text));
        }
        assert_eq!(encoded("a@é"), "a%40%C3%A9");
        assert_eq!(decoded("a+%2b").as_deref(), Ok("a++"));
        for text in ["%", "%4", "%zz", "%+1", "%00", "%ff"] {
            assert!(decoded(text).is_err(), "{text}");
        }
    }
}
