//! ONNX Runtime's shared library: where it is looked for, and the one environment
//! that a process may have of it.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use ::ort::environment::Environment;

use crate::error::BackboneError;
use crate::guard::guarded;

/// Names the library's file; nothing else is then looked at.
const VARIABLE: &str = "ORT_DYLIB_PATH";

static RUNTIME: OnceLock<Result<Environment, Vec<String>>> = OnceLock::new();

/// The runtime, which is loaded once; an error stays one.
pub(super) fn environment() -> Result<&'static Environment, BackboneError> {
    let found = RUNTIME.get_or_init(|| first_of(&candidates()));
    found.as_ref().map_err(|tried| BackboneError::NoRuntime {
        tried: tried.clone(),
    })
}

fn first_of(files: &[PathBuf]) -> Result<Environment, Vec<String>> {
    let mut tried = Vec::new();
    for file in files {
        match load(file) {
            Ok(environment) => return Ok(environment),
            Err(detail) => tried.push(detail),
        }
    }
    Err(tried)
}

/// The error names the file.
fn load(file: &Path) -> Result<Environment, String> {
    let named = |detail: &dyn std::fmt::Display| format!("`{}`: {detail}", file.display());
    let environment = guarded(|| {
        let builder = ::ort::init_from(file).map_err(|error| match error {
            ::ort::LoadDynamicError::Dlopen { error, .. } => {
                let detail = error.to_string();
                let known = format!("{}: ", file.display());
                // The loader names the file too.
                named(&detail.strip_prefix(&known).unwrap_or(&detail))
            }
            ::ort::LoadDynamicError::BadVersion { version_str, .. } => named(&format!(
                "version {version_str}, expected 1.{} or later",
                ::ort::MINOR_VERSION
            )),
            ::ort::LoadDynamicError::MissingApi { .. }
            | ::ort::LoadDynamicError::InvalidVersionString => named(&"it is another library"),
        })?;
        let builder = builder.with_name("sparkles").with_telemetry(false);
        builder.build().map_err(|error| named(&error))
    });
    environment.unwrap_or_else(|| Err(named(&"it is no library that this program can use")))
}

/// The files to try, in order.
fn candidates() -> Vec<PathBuf> {
    if let Some(file) = std::env::var_os(VARIABLE).filter(|file| !file.is_empty()) {
        // The loader looks for a bare name elsewhere than in this folder.
        let file = PathBuf::from(file);
        return vec![std::path::absolute(&file).unwrap_or(file)];
    }
    let mut files = Vec::new();
    if let Ok(program) = std::env::current_exe()
        && let Some(folder) = program.parent()
    {
        files.extend(libraries(folder));
    }
    if let Some(environment) = std::env::var_os("VIRTUAL_ENV") {
        let environment = PathBuf::from(environment);
        // Windows has no folder of the version.
        let mut packages = vec![environment.join("Lib")];
        packages.extend(entries(&environment.join("lib")));
        for folder in packages {
            files.extend(libraries(&folder.join("site-packages/onnxruntime/capi")));
        }
    }
    let (prefix, suffix) = (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    files.push(PathBuf::from(format!("{prefix}onnxruntime{suffix}")));
    files
}

/// The files of a folder that are called like the library, in order of name.
fn libraries(folder: &Path) -> Vec<PathBuf> {
    let mut files = entries(folder);
    files.retain(|file| {
        let name = file.file_name().and_then(|name| name.to_str());
        name.is_some_and(is_library)
    });
    files
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// `libonnxruntime.so.1.32.0`, `libonnxruntime.1.32.0.dylib`, `onnxruntime.dll`;
/// not the providers beside it.
fn is_library(name: &str) -> bool {
    let has = |ending: &str| {
        Path::new(name)
            .extension()
            .is_some_and(|found| found.eq_ignore_ascii_case(ending))
    };
    name == "libonnxruntime.so"
        || name.starts_with("libonnxruntime.so.")
        || name.starts_with("libonnxruntime.") && has("dylib")
        || name.eq_ignore_ascii_case("onnxruntime.dll")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_library() {
        for (name, expected) in [
            ("libonnxruntime.so", true),
            ("libonnxruntime.so.1.32.0", true),
            ("libonnxruntime.1.32.0.dylib", true),
            ("libonnxruntime.dylib", true),
            ("onnxruntime.dll", true),
            ("libonnxruntime_providers_shared.so", false),
            ("onnxruntime_providers_cuda.dll", false),
            ("libonnxruntime.a", false),
        ] {
            assert_eq!(is_library(name), expected, "{name}");
        }
    }

    #[test]
    fn what_is_no_library_is_an_error() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        for name in ["nothing-here.so", "Cargo.toml"] {
            let file = folder.join(name);
            let error = load(&file).err().unwrap_or_default();
            let start = format!("`{}`: ", file.display());
            assert!(error.starts_with(&start), "{error}");
        }
        assert!(first_of(&[]).is_err());
    }
}
