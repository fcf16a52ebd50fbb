//! The program as a user meets it: one test binary for all of the command line.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

mod again;
mod backbones;
mod determinism;
mod labels;
mod messages;
mod photos;
mod story;
mod survival;
mod tags;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use sparkles::demo::{Collection, Scene, draw, write_collection};
use tempfile::TempDir;

/// A folder of its own for each test, and the program run in it.
struct Desk {
    folder: TempDir,
}

impl Desk {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("sparkles"));
        command.args(arguments).current_dir(self.folder.path());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Standard output of a run that succeeds.
    fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The JSON summary of a run that succeeds.
    fn json(&self, arguments: &[&str]) -> Value {
        let mut arguments = arguments.to_vec();
        arguments.extend(["--format", "json"]);
        serde_json::from_str(&self.succeed(&arguments)).unwrap()
    }

    /// What a run that fails says, with the folder's name taken out.
    fn fail(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {errors}");
        assert!(output.stdout.is_empty(), "results of a run that failed");
        errors.replace(&self.folder.path().display().to_string(), "[desk]")
    }

    /// The summary of a training on the features of [`tiny`].
    fn train(&self, data: &str, more: &[&str]) -> Value {
        let tiny = tiny();
        let mut arguments = vec!["train", data, "--backbone", &tiny];
        arguments.extend(more);
        self.json(&arguments)
    }

    /// Pictures of one scene each: so many `NAME/SEED.png` below `folder`.
    fn draw(&self, folder: &str, scene: Scene, seeds: std::ops::Range<u64>) {
        let folder = self.path(folder);
        std::fs::create_dir_all(&folder).unwrap();
        for seed in seeds {
            let picture = draw(scene, 48, 40, seed);
            picture.save(folder.join(format!("{seed}.png"))).unwrap();
        }
    }

    /// Drawn pictures with labels, and the dataset `city` of them.
    fn city(&self, pictures: usize) -> (Collection, Value) {
        let collection = write_collection(self.folder.path(), pictures, 7).unwrap();
        let summary = self.json(&[
            "ingest",
            "--images",
            "images",
            "--labels",
            "labels.csv",
            "--classes",
            "class-descriptions.csv",
            "--out",
            "city",
        ]);
        (collection, summary)
    }
}

/// A backbone of a few kilobytes: what a test needs where features need not be good.
fn tiny() -> String {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../sparkles-vision/tests/data/tiny.onnx");
    path.canonicalize().unwrap().display().to_string()
}

/// A folder of real data beside the project; says so loudly where there is none.
fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/data")
        .join(name);
    if path.exists() {
        return path.canonicalize().ok();
    }
    eprintln!("SKIPPED: there is no {}", path.display());
    None
}

fn number(value: &Value, name: &str) -> u64 {
    value[name]
        .as_u64()
        .unwrap_or_else(|| panic!("`{name}` in {value}"))
}
