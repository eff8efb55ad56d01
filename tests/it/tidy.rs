//! The order of the modules is the architecture: this holds the sources to it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders that are wholly pure: the caller passes time and text in.
const PURE: [&str; 11] = ["market", "calendar", "config", "quality", "pipeline", "snapshot", "request", "widget", "pane", "tui", "lib"];
/// Words that only I/O needs.
const IO_WORDS: [&str; 9] =
    ["tokio", "std::fs", "std::net", "std::env", "std::process", "SystemTime::now", "Instant::now", "println!", "std::thread"];
/// The one part that prints.
const PRINTS: &str = "cli";
const MAX_FILE: usize = 500;
const MAX_FUNCTION: usize = 70;

struct File {
    /// `market`, `store`, ...
    module: String,
    path: PathBuf,
    /// Without comments, and without what stands under `#[cfg(test)]`.
    code: Vec<String>,
    lines: usize,
}

#[test]
fn a_module_uses_only_those_listed_above_it() {
    let order = modules_in_order();
    check(|file| {
        let Some(own) = order.iter().position(|module| *module == file.module) else { return Vec::new() };
        let below = |name: &str| order.iter().position(|module| module == name).is_some_and(|at| at > own);
        named_modules(&file.code)
            .into_iter()
            .filter(|name| below(name))
            .map(|name| format!("uses {name}, which is listed below it"))
            .collect()
    });
}

#[test]
fn pure_modules_do_no_io() {
    check(|file| {
        if !PURE.contains(&file.module.as_str()) {
            return Vec::new();
        }
        let words = |line: &String| IO_WORDS.into_iter().find(|word| line.contains(word)).map(|word| format!("says {word}"));
        file.code.iter().filter_map(words).collect()
    });
}

#[test]
fn only_the_command_line_prints() {
    check(|file| {
        let prints = |line: &&String| ["println!", "print!(", "eprintln!"].iter().any(|word| line.contains(word));
        let found = file.code.iter().filter(prints).map(|line| format!("prints: {}", line.trim()));
        if file.module == PRINTS { Vec::new() } else { found.collect() }
    });
}

#[test]
fn nobody_imports_from_a_parent() {
    check(|file| file.code.iter().filter(|line| line.contains("super::")).map(|line| format!("says {}", line.trim())).collect());
}

#[test]
fn every_file_is_declared_once_and_no_folder_is_a_third_level_down() {
    check(|file| {
        let name = file.path.file_stem().unwrap().to_string_lossy().into_owned();
        if ["mod", "lib", "main"].contains(&name.as_str()) {
            let depth = file.path.strip_prefix(sources()).unwrap().components().count();
            return if depth > 3 { vec!["lies deeper than folder/folder/file".to_owned()] } else { Vec::new() };
        }
        let folder = file.path.parent().unwrap();
        let above = [folder.join("mod.rs"), folder.join("lib.rs")].into_iter().find(|path| path.exists()).unwrap();
        let declared = fs::read_to_string(above)
            .unwrap()
            .lines()
            .any(|line| line.trim_start_matches("pub ").trim_start_matches("pub(crate) ") == format!("mod {name};"));
        if declared { Vec::new() } else { vec!["is not declared".to_owned()] }
    });
}

#[test]
fn files_and_functions_fit() {
    check(|file| {
        let mut found = Vec::new();
        if file.lines > MAX_FILE {
            found.push(format!("has {} lines, more than {MAX_FILE}", file.lines));
        }
        found.extend(long_functions(&file.code));
        found
    });
}

#[test]
fn the_order_is_that_of_the_folders() {
    let listed: BTreeSet<_> = modules_in_order().into_iter().collect();
    let folders: BTreeSet<_> =
        fs::read_dir(sources()).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_dir()).map(|p| stem(&p)).collect();
    assert_eq!(listed, folders);
    assert!(listed.len() > 10, "the sources were not found");
}

/// The check itself is checked: an import that is wrong is noticed.
#[test]
fn an_import_in_braces_is_seen() {
    let code: Vec<String> = ["use crate::{market::Bar, store::Store};", "let x = crate::engine::start();"].map(str::to_owned).into();
    assert_eq!(named_modules(&code), BTreeSet::from(["market".to_owned(), "store".to_owned(), "engine".to_owned()]));
}

fn check(judge: impl Fn(&File) -> Vec<String>) {
    let files = files();
    assert!(files.len() > 20, "the sources were not found");
    let found: Vec<_> =
        files.iter().flat_map(|file| judge(file).into_iter().map(|what| format!("{}: {what}", file.path.display()))).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap().to_string_lossy().into_owned()
}

fn modules_in_order() -> Vec<String> {
    let text = fs::read_to_string(sources().join("lib.rs")).unwrap();
    text.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';').map(str::to_owned)).collect()
}

fn files() -> Vec<File> {
    let (mut found, mut folders) = (Vec::new(), vec![sources()]);
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ext| ext == "rs") {
                found.push(read(path));
            }
        }
    }
    found
}

fn read(path: PathBuf) -> File {
    let text = fs::read_to_string(&path).unwrap();
    let first = path.strip_prefix(sources()).unwrap().components().next().unwrap();
    let module = stem(Path::new(first.as_os_str()));
    let before_tests = text.split("#[cfg(test)]").next().unwrap_or_default();
    let code = before_tests.lines().map(|line| line.split("//").next().unwrap_or_default().to_owned()).collect();
    File { module, code, lines: text.lines().count(), path }
}

/// Every `X` of `crate::X` and of `use crate::{X::...}`.
fn named_modules(code: &[String]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for line in code {
        for rest in line.split("crate::").skip(1) {
            match rest.strip_prefix('{') {
                Some(list) => names.extend(list.split(',').map(|part| first_word(part.trim()))),
                None => {
                    names.insert(first_word(rest));
                }
            }
        }
    }
    names
}

fn first_word(text: &str) -> String {
    text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}

fn long_functions(code: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for (start, line) in code.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let is_function = line
            .trim_start()
            .trim_start_matches("pub ")
            .trim_start_matches("pub(crate) ")
            .trim_start_matches("const ")
            .trim_start_matches("async ")
            .starts_with("fn ");
        if !is_function || line.trim_end().ends_with(';') {
            continue;
        }
        let closing = format!("{}}}", " ".repeat(indent));
        let length = code[start..].iter().position(|line| line.trim_end() == closing).unwrap_or(0) + 1;
        if length > MAX_FUNCTION {
            found.push(format!("line {}: a function of {length} lines, more than {MAX_FUNCTION}", start + 1));
        }
    }
    found
}
