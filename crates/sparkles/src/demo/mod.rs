//! The pictures that `sparkles demo` draws itself: no photo is fetched or shipped.

mod collection;
mod drawing;

use std::path::{Path, PathBuf};

pub use collection::{Collection, CollectionError, write_collection};
pub use drawing::{Scene, draw};

/// Draws one picture of each scene that no collection of another seed holds, into
/// a folder that is made, and returns their paths.
pub fn write_new_pictures(folder: &Path, seed: u64) -> Result<Vec<PathBuf>, CollectionError> {
    let write = |path: &Path, source| CollectionError::Write {
        path: path.to_owned(),
        source,
    };
    std::fs::create_dir_all(folder).map_err(|source| write(folder, source))?;
    let scenes = [
        ("car", Scene::Car),
        ("tree", Scene::Tree),
        ("car-and-tree", Scene::Both),
        ("neither", Scene::Neither),
    ];
    let mut paths = Vec::new();
    for ((name, scene), number) in scenes.into_iter().zip(0..) {
        let path = folder.join(format!("{name}.png"));
        draw(scene, 640, 480, seed.wrapping_add(number))
            .save(&path)
            .map_err(|source| CollectionError::Encode {
                path: path.clone(),
                source,
            })?;
        paths.push(path);
    }
    Ok(paths)
}
