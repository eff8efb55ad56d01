//! The laws of the fuzz targets, read as text: they are a package of their own, which these tests do not build.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use openbell::provider::PROVIDERS;

/// Decoders that others call for the same bytes, by source.
const INSIDE: [(&str, &str); 1] = [("kraken", "members")];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn source(target: &str) -> String {
    read(&format!("fuzz/fuzz_targets/{target}.rs"))
}

fn files(folder: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(root().join(folder)) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect()
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap().to_string_lossy().into_owned()
}

fn targets() -> BTreeSet<String> {
    let targets: BTreeSet<_> = files("fuzz/fuzz_targets").iter().map(|path| stem(path)).collect();
    assert!(!targets.is_empty(), "the targets were not found");
    targets
}

/// How many functions a target says that it has, where `scripts/fuzz.sh` reads it.
fn functions(target: &str) -> Option<usize> {
    let source = source(target);
    let line = source.lines().find_map(|line| line.strip_prefix("const FUNCTIONS: [Function; "))?;
    line.split_once("] = [")?.0.parse().ok()
}

/// The public functions of a source's folder that are fed bytes before anything else.
fn decoders(folder: &str) -> BTreeSet<String> {
    let name = |line: &str| {
        let (name, arguments) = line.strip_prefix("pub fn ")?.split_once('(')?;
        let (_, kind) = arguments.split_once(": ")?;
        kind.starts_with("&[u8]").then(|| name.to_owned())
    };
    let read = |path: PathBuf| fs::read_to_string(path).unwrap();
    let found = files(&format!("src/provider/{folder}")).into_iter().map(read);
    found.flat_map(|text| text.lines().filter_map(name).collect::<Vec<_>>()).collect()
}

fn module(provider: &str) -> String {
    provider.replace('-', "_")
}

#[test]
fn every_provider_has_a_target() {
    let targets = targets();
    for spec in PROVIDERS {
        assert!(targets.contains(&module(spec.name)), "{} has no fuzz/fuzz_targets/{}.rs", spec.name, module(spec.name));
    }
}

#[test]
fn every_target_is_declared_and_every_declared_one_is_there() {
    let manifest = read("fuzz/Cargo.toml");
    let manifest: toml::Table = toml::from_str(&manifest).expect("the manifest is TOML");
    let mut declared = BTreeSet::new();
    for bin in manifest["bin"].as_array().expect("targets are a list") {
        let name = bin["name"].as_str().expect("a target has a name");
        assert_eq!(bin["path"].as_str(), Some(format!("fuzz_targets/{name}.rs").as_str()));
        assert!(declared.insert(name.to_owned()), "{name} is declared twice");
    }
    assert_eq!(declared, targets());
}

#[test]
fn every_target_says_how_many_functions_it_has() {
    for target in targets() {
        let count = functions(&target).unwrap_or_else(|| panic!("{target} has no line 'const FUNCTIONS: [Function; N] = ['"));
        assert!((1..=256).contains(&count), "one byte does not choose from the {count} functions of {target}");
    }
}

#[test]
fn every_target_has_samples_to_begin_with() {
    for target in targets() {
        let samples = [format!("tests/fixtures/{target}"), format!("fuzz/seeds/{target}")].iter().flat_map(|folder| files(folder)).count();
        assert!(samples > 0, "{target} has neither tests/fixtures/{target} nor fuzz/seeds/{target}");
    }
}

#[test]
fn every_decoder_of_a_provider_is_fed() {
    for spec in PROVIDERS {
        let folder = module(spec.name);
        let (decoders, source) = (decoders(&folder), source(&folder));
        assert!(!decoders.is_empty(), "the decoders of {folder} were not found");
        for decoder in decoders.iter().filter(|decoder| !INSIDE.contains(&(folder.as_str(), decoder.as_str()))) {
            assert!(source.contains(&format!("{folder}::{decoder}(")), "fuzz/fuzz_targets/{folder}.rs does not feed {decoder}");
        }
    }
}
