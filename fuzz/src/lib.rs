//! What the fuzz targets share: how one of a source's functions is chosen, what they are asked beside a body, and the laws that hold
//! of whatever they answer.

pub mod asked;
pub mod law;

/// Decodes bytes, and holds what comes of it to the laws.
pub type Function = fn(&[u8]);

/// Feeds the function that the first byte chooses with the rest.
pub fn feed(functions: &[Function], input: &[u8]) {
    let Some((choice, bytes)) = input.split_first() else { return };
    functions[usize::from(*choice) % functions.len()](bytes);
}
