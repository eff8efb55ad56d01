//! Prints docs/keys.md: what stands above the table is kept, the table is made anew.
#![expect(clippy::print_stdout, reason = "that is what it is for")]

fn main() {
    let docs = include_str!("../docs/keys.md");
    let above = docs.split("| Keys |").next().unwrap_or_default();
    print!("{above}{}", openbell::tui::key_table());
}
