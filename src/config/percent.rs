//! Texts inside an address: what has a meaning there is written as `%` and two digits.

use std::fmt::Write as _;

/// `%41` becomes `A`; a plus stays a plus, as libpq has it. The error says what is wrong, never with what.
pub(crate) fn decoded(text: &str) -> Result<String, &'static str> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16));
        let pair = digit().zip(digit()).and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
        bytes.push(pair.filter(|byte| *byte != 0).ok_or("a % in it is not followed by the two digits of a byte")?);
    }
    String::from_utf8(bytes).map_err(|_| "what is encoded with % in it is not UTF-8")
}

/// Everything but letters, digits and `-._~` as the digits of its bytes.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("a String takes everything");
        }
    }
    out
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
