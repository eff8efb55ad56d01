//! The environment, with `.env` beneath it.

use std::collections::BTreeMap;

/// The environment as a map; `.env` of the working folder fills in what is missing and changes nothing.
#[must_use]
pub fn environment() -> BTreeMap<String, String> {
    let mut map: BTreeMap<String, String> = dotenvy::from_path_iter(".env").into_iter().flatten().filter_map(Result::ok).collect();
    map.extend(std::env::vars_os().filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?))));
    map
}
