//! A folder of drawn photos with label files in the Open Images formats.
//!
//! The folder has what real collections have: several formats and sizes, photos
//! stored turned, grey ones, a few broken files, one id used twice, doubled and
//! missing labels, and some labels that are plainly wrong. [`Collection`] counts
//! all of it, so that a run can be checked against what is really there.

mod files;
mod labels;
mod plan;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

use image::ImageError;
use image::metadata::Orientation;

use super::drawing::{Dice, Scene};
use files::write_all;
use labels::{CLASSES, Labels};
use plan::{Encoding, PHONE, Plan, plan};

/// What [`write_collection`] wrote, and how much of it is as flawed as in real life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collection {
    /// The folder of image files; it has a sub-folder.
    pub images: PathBuf,
    /// `ImageID,Source,LabelName,Confidence`, with a header.
    pub labels: PathBuf,
    /// `LabelName,DisplayName`, without a header.
    pub classes: PathBuf,
    /// All files below `images`, the broken ones among them.
    pub pictures: usize,
    /// Files that are no whole image: cut off, empty, damaged, text or HTML.
    pub broken: usize,
    /// Whole images of cars without trees.
    pub cars: usize,
    /// Whole images of trees without cars.
    pub trees: usize,
    /// Whole images with cars and trees.
    pub both: usize,
    /// Whole images with neither.
    pub neither: usize,
    /// Whole images in one grey channel.
    pub grey: usize,
    /// Whole images stored turned, with an EXIF orientation that sets them upright.
    pub turned: usize,
    /// Whole images that are no JPEG: PNG, WebP, GIF, BMP.
    pub other_formats: usize,
    /// Ids that two files share.
    pub doubled_ids: usize,
    /// Rows of the label file, its header not counted.
    pub label_rows: usize,
    /// Rows that repeat an earlier row exactly.
    pub doubled_rows: usize,
    /// Ids in the label file that no file has.
    pub without_photo: usize,
    /// Files that no label row names.
    pub unlabelled: usize,
    /// Whole images whose labels say something else about cars and trees than they show.
    pub wrong_labels: usize,
    /// Rows with a class that the class file does not describe.
    pub undescribed_rows: usize,
    /// Bytes of all image files together.
    pub bytes: u64,
}

/// Why a collection could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CollectionError {
    /// There is something where the images would go.
    #[error("cannot draw into `{}`: it exists already", path.display())]
    Exists {
        /// The folder in the way.
        path: PathBuf,
    },
    /// A folder or file could not be written.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A drawing could not be encoded.
    #[error("cannot encode `{}`", path.display())]
    Encode {
        /// The file it was meant for.
        path: PathBuf,
        /// What the encoder said.
        source: ImageError,
    },
}

/// Draws `pictures` image files into `folder/images`, with `folder/labels.csv` and
/// `folder/class-descriptions.csv` beside it.
///
/// The same `pictures` and `seed` give the same bytes, on any number of threads.
/// Of fewer than 40 pictures, fewer are broken.
///
/// # Errors
/// When `folder/images` exists, or something cannot be written.
pub fn write_collection(
    folder: &Path,
    pictures: usize,
    seed: u64,
) -> Result<Collection, CollectionError> {
    let images = folder.join("images");
    if images.exists() {
        return Err(CollectionError::Exists { path: images });
    }
    let phone = images.join(PHONE);
    fs::create_dir_all(&phone).map_err(|source| CollectionError::Write {
        path: phone,
        source,
    })?;
    let mut dice = Dice::new(seed);
    let plans = plan(pictures, &mut dice.fork());
    let written = write_all(&images, &plans)?;

    let whole = |wanted: &dyn Fn(&Plan) -> bool| {
        plans
            .iter()
            .filter(|plan| plan.flaw.is_none() && wanted(plan))
            .count()
    };
    let scenes = |scene: Scene| whole(&|plan| plan.scene == scene);
    let labels = Labels::new(&plans, &written, &mut dice.fork());
    let collection = Collection {
        labels: folder.join("labels.csv"),
        classes: folder.join("class-descriptions.csv"),
        images,
        pictures: plans.len(),
        broken: plans.len() - whole(&|_| true),
        cars: scenes(Scene::Car),
        trees: scenes(Scene::Tree),
        both: scenes(Scene::Both),
        neither: scenes(Scene::Neither),
        grey: whole(&|plan| matches!(plan.encoding, Encoding::Jpeg { grey: true, .. })),
        turned: whole(&|plan| plan.orientation() != Orientation::NoTransforms),
        other_formats: whole(&|plan| !matches!(plan.encoding, Encoding::Jpeg { .. })),
        doubled_ids: plans.iter().filter(|plan| plan.copy).count(),
        label_rows: labels.rows,
        doubled_rows: labels.doubled,
        without_photo: labels.without_photo,
        unlabelled: plans.iter().filter(|plan| plan.unlabelled).count(),
        wrong_labels: plans.iter().filter(|plan| plan.wrong).count(),
        undescribed_rows: labels.undescribed,
        bytes: written.iter().map(|written| written.bytes).sum(),
    };
    write(&collection.labels, labels.text.as_bytes())?;
    let mut classes = String::new();
    for (label_name, display_name) in CLASSES {
        // Writing to a string cannot fail.
        let _ = writeln!(classes, "{label_name},{display_name}");
    }
    write(&collection.classes, classes.as_bytes())?;
    Ok(collection)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), CollectionError> {
    fs::write(path, bytes).map_err(|source| CollectionError::Write {
        path: path.to_owned(),
        source,
    })
}
