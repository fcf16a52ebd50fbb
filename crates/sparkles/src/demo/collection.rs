//! A folder of drawn photos with label files in the Open Images formats.
//!
//! The folder has what real collections have: several formats and sizes, photos
//! stored turned, grey ones, a few broken files, one id used twice, doubled and
//! missing labels, and some labels that are plainly wrong. [`Collection`] counts
//! all of it, so that a run can be checked against what is really there.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fs, io, thread};

use image::codecs::gif::GifEncoder;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::metadata::Orientation;
use image::{
    DynamicImage, ExtendedColorType, ImageEncoder, ImageError, ImageFormat, RgbImage, RgbaImage,
};

use super::drawing::{Dice, Extras, Scene, draw_with_extras};

const CAR: &str = "/m/0k4j";
const TREE: &str = "/m/07j7r";
const HOUSE: &str = "/m/03jm5";
const BUS: &str = "/m/01bjv";
const STREET_LIGHT: &str = "/m/033rq4";
const PALM_TREE: &str = "/m/0cdl1";
const LAND_VEHICLE: &str = "/m/01prls";
const WHEEL: &str = "/m/083wq";
const PLANT: &str = "/m/05s2s";
const DOG: &str = "/m/0bt9lr";
const CAT: &str = "/m/01yrx";
const BICYCLE: &str = "/m/0199g";
/// A real class that is left out of the descriptions on purpose.
const TRAFFIC_SIGN: &str = "/m/01mqdt";

/// Identifiers and names from Open Images' `class-descriptions-boxable.csv`.
const CLASSES: [(&str, &str); 12] = [
    (BICYCLE, "Bicycle"),
    (BUS, "Bus"),
    (LAND_VEHICLE, "Land vehicle"),
    (CAT, "Cat"),
    (STREET_LIGHT, "Street light"),
    (HOUSE, "House"),
    (PLANT, "Plant"),
    (TREE, "Tree"),
    (WHEEL, "Wheel"),
    (DOG, "Dog"),
    (PALM_TREE, "Palm tree"),
    (CAR, "Car"),
];

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

// ---------------------------------------------------------------- the plan

/// The sub-folder of `images` for photos that came from elsewhere.
const PHONE: &str = "phone";

#[derive(Debug, Clone, Copy, PartialEq)]
enum Encoding {
    Jpeg {
        quality: u8,
        grey: bool,
        orientation: Orientation,
    },
    Png {
        alpha: bool,
    },
    WebP,
    Gif,
    Bmp,
}

/// How a file is broken.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Flaw {
    CutOff,
    Text,
    Empty,
    Damaged,
    Html,
}

const FLAWS: [Flaw; 5] = [
    Flaw::CutOff,
    Flaw::Text,
    Flaw::Empty,
    Flaw::Damaged,
    Flaw::Html,
];

/// One file to be, decided before anything is drawn.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each field answers one yes-or-no question about the file"
)]
struct Plan {
    id: String,
    in_phone: bool,
    scene: Scene,
    width: u32,
    height: u32,
    seed: u64,
    encoding: Encoding,
    flaw: Option<Flaw>,
    /// Shares its id with the plan before it, whose smaller copy it is.
    copy: bool,
    unlabelled: bool,
    wrong: bool,
}

impl Plan {
    fn new(id: String, dice: &mut Dice) -> Self {
        let scene = match dice.below(25) {
            0..=8 => Scene::Car,
            9..=17 => Scene::Tree,
            18..=20 => Scene::Both,
            _ => Scene::Neither,
        };
        let small = dice.chance(0.4);
        let long = if small {
            200 + dice.below(200)
        } else {
            360 + dice.below(441)
        };
        let (over, under) = dice.pick([(3, 4), (3, 4), (2, 3), (2, 3), (9, 16), (1, 1)]);
        let short = (long * over / under).max(160);
        let (width, height) = if dice.chance(0.3) {
            (short, long)
        } else {
            (long, short)
        };
        let encoding = match dice.below(100) {
            0..=7 => Encoding::Png {
                alpha: dice.chance(0.35),
            },
            8..=11 => Encoding::WebP,
            12..=14 => Encoding::Gif,
            15..=17 => Encoding::Bmp,
            _ => Encoding::jpeg(dice),
        };
        // These formats are for small pictures.
        let (width, height) = match encoding {
            Encoding::Gif | Encoding::Bmp if width.max(height) > 400 => (width / 2, height / 2),
            _ => (width, height),
        };
        Self {
            id,
            in_phone: dice.chance(0.15),
            scene,
            width: width.max(160),
            height: height.max(160),
            seed: dice.bits(),
            encoding,
            flaw: None,
            copy: false,
            unlabelled: false,
            wrong: false,
        }
    }

    fn orientation(&self) -> Orientation {
        match self.encoding {
            Encoding::Jpeg { orientation, .. } => orientation,
            _ => Orientation::NoTransforms,
        }
    }

    fn file_name(&self) -> String {
        let extension = match self.encoding {
            Encoding::Jpeg { .. } => "jpg",
            Encoding::Png { .. } => "png",
            Encoding::WebP => "webp",
            Encoding::Gif => "gif",
            Encoding::Bmp => "bmp",
        };
        format!("{}.{extension}", self.id)
    }

    fn path(&self, images: &Path) -> PathBuf {
        if self.in_phone {
            images.join(PHONE).join(self.file_name())
        } else {
            images.join(self.file_name())
        }
    }

    /// What the labels say that the photo shows.
    fn labelled_scene(&self) -> Scene {
        match (self.wrong, self.scene) {
            (false, scene) => scene,
            (true, Scene::Car | Scene::Both) => Scene::Tree,
            (true, Scene::Tree | Scene::Neither) => Scene::Car,
        }
    }
}

impl Encoding {
    fn jpeg(dice: &mut Dice) -> Self {
        let turns = [
            Orientation::Rotate180,
            Orientation::Rotate90,
            Orientation::Rotate270,
        ];
        Self::Jpeg {
            quality: u8::try_from(55 + dice.below(41)).unwrap_or(75),
            grey: dice.chance(0.06),
            orientation: if dice.chance(0.12) {
                dice.pick(turns)
            } else {
                Orientation::NoTransforms
            },
        }
    }
}

/// Decides on every file, in the order of their ids.
fn plan(pictures: usize, dice: &mut Dice) -> Vec<Plan> {
    let copies = usize::from(pictures >= 12);
    let mut ids = BTreeSet::new();
    while ids.len() < pictures.saturating_sub(copies) {
        ids.insert(format!("{:016x}", dice.bits()));
    }
    let mut plans: Vec<Plan> = ids.into_iter().map(|id| Plan::new(id, dice)).collect();
    // Ids are random, so the files with a fault may stand in a regular order.
    let broken = FLAWS.len().min(pictures / 8);
    let step = plans.len().max(1) / (broken + 1);
    for (index, flaw) in FLAWS.into_iter().take(broken).enumerate() {
        if let Some(plan) = plans.get_mut((index + 1) * step) {
            plan.flaw = Some(flaw);
            plan.encoding = match flaw {
                Flaw::Damaged => Encoding::Png { alpha: false },
                _ => Encoding::Jpeg {
                    quality: 85,
                    grey: false,
                    orientation: Orientation::NoTransforms,
                },
            };
        }
    }
    let unlabelled = (pictures / 20).min(3);
    let whole = plans.iter_mut().filter(|plan| plan.flaw.is_none());
    for plan in whole.skip(2).step_by(7).take(unlabelled) {
        plan.unlabelled = true;
    }
    let wrong = (pictures + 25) / 50;
    let labelled = plans
        .iter_mut()
        .filter(|plan| plan.flaw.is_none() && !plan.unlabelled);
    for plan in labelled.skip(4).step_by(29).take(wrong) {
        plan.wrong = true;
    }
    let original = plans
        .iter()
        .position(|plan| plan.flaw.is_none() && !plan.unlabelled && !plan.wrong);
    if let Some((index, original)) =
        original.and_then(|index| Some((index, plans.get(index)?.clone())))
        && copies > 0
    {
        let copy = Plan {
            in_phone: !original.in_phone,
            width: (original.width / 2).max(160),
            height: (original.height / 2).max(160),
            encoding: Encoding::Png { alpha: false },
            copy: true,
            ..original
        };
        plans.insert(index + 1, copy);
    }
    plans
}

// ---------------------------------------------------------------- files

/// What drawing and writing one file brought.
#[derive(Debug, Clone, Copy, Default)]
struct Written {
    extras: Extras,
    bytes: u64,
}

/// Draws and writes all files on every core; results in the order of the plans.
fn write_all(images: &Path, plans: &[Plan]) -> Result<Vec<Written>, CollectionError> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(plan) = plans.get(index) else {
                return Ok(done);
            };
            done.push((index, write_one(images, plan)?));
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let mut written = vec![Written::default(); plans.len()];
    let results: Vec<Result<_, CollectionError>> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .map(|worker| {
                worker
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect()
    });
    for result in results {
        for (index, one) in result? {
            if let Some(slot) = written.get_mut(index) {
                *slot = one;
            }
        }
    }
    Ok(written)
}

fn write_one(images: &Path, plan: &Plan) -> Result<Written, CollectionError> {
    let path = plan.path(images);
    let (picture, extras) = draw_with_extras(plan.scene, plan.width, plan.height, plan.seed);
    let encoded = encode(picture, plan).map_err(|source| CollectionError::Encode {
        path: path.clone(),
        source,
    })?;
    let bytes = match plan.flaw {
        None => encoded,
        Some(flaw) => spoil(encoded, flaw),
    };
    write(&path, &bytes)?;
    let bytes = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    Ok(Written { extras, bytes })
}

fn encode(picture: RgbImage, plan: &Plan) -> Result<Vec<u8>, ImageError> {
    let mut bytes = Vec::new();
    match plan.encoding {
        Encoding::Jpeg {
            quality,
            grey,
            orientation,
        } => {
            let mut encoder = JpegEncoder::new_with_quality(&mut bytes, quality);
            let mut picture = DynamicImage::ImageRgb8(picture);
            if orientation != Orientation::NoTransforms {
                encoder
                    .set_exif_metadata(exif(orientation))
                    .map_err(ImageError::Unsupported)?;
                picture.apply_orientation(opposite(orientation));
            }
            if grey {
                picture = DynamicImage::ImageLuma8(picture.into_luma8());
            }
            picture.write_with_encoder(encoder)?;
        }
        Encoding::Png { alpha } => {
            let encoder = PngEncoder::new_with_quality(
                &mut bytes,
                CompressionType::Fast,
                FilterType::Adaptive,
            );
            if alpha {
                DynamicImage::ImageRgba8(rounded_off(&picture)).write_with_encoder(encoder)?;
            } else {
                DynamicImage::ImageRgb8(picture).write_with_encoder(encoder)?;
            }
        }
        Encoding::Gif => {
            let (width, height) = picture.dimensions();
            let mut encoder = GifEncoder::new_with_speed(&mut bytes, 30);
            encoder.encode(picture.as_raw(), width, height, ExtendedColorType::Rgb8)?;
        }
        Encoding::WebP => picture.write_to(&mut io::Cursor::new(&mut bytes), ImageFormat::WebP)?,
        Encoding::Bmp => picture.write_to(&mut io::Cursor::new(&mut bytes), ImageFormat::Bmp)?,
    }
    Ok(bytes)
}

/// The turn that undoes one of the three turns used here.
fn opposite(orientation: Orientation) -> Orientation {
    match orientation {
        Orientation::Rotate90 => Orientation::Rotate270,
        Orientation::Rotate270 => Orientation::Rotate90,
        other => other,
    }
}

/// An EXIF block whose one entry is the orientation (TIFF 6.0, tag 274).
fn exif(orientation: Orientation) -> Vec<u8> {
    let mut block = b"II\x2a\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    block.extend([orientation.to_exif(), 0, 0, 0, 0, 0, 0, 0]);
    block
}

/// The picture with corners that fade into transparency.
fn rounded_off(picture: &RgbImage) -> RgbaImage {
    let (width, height) = picture.dimensions();
    let mut with_alpha = RgbaImage::new(width, height);
    let pixels = with_alpha.enumerate_pixels_mut().zip(picture.pixels());
    for ((x, y, pixel), drawn) in pixels {
        let [red, green, blue] = drawn.0;
        let edge_x = x.min(width - 1 - x);
        let edge_y = y.min(height - 1 - y);
        let alpha = u8::try_from((edge_x + edge_y) * 8).unwrap_or(u8::MAX);
        pixel.0 = [red, green, blue, alpha];
    }
    with_alpha
}

/// Makes a file of a healthy one's bytes that is no whole image any more.
fn spoil(mut bytes: Vec<u8>, flaw: Flaw) -> Vec<u8> {
    match flaw {
        Flaw::CutOff => {
            bytes.truncate(bytes.len() * 2 / 5);
            bytes
        }
        Flaw::Damaged => {
            let (from, to) = (bytes.len() / 3, bytes.len() * 2 / 3);
            for byte in bytes.iter_mut().take(to).skip(from) {
                *byte = !*byte;
            }
            bytes
        }
        Flaw::Empty => Vec::new(),
        Flaw::Text => b"This photo is still on the camera. Ask for it.\n".to_vec(),
        Flaw::Html => b"<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head>\n\
            <body><h1>Not Found</h1><p>The requested photo is no longer available.</p></body></html>\n"
            .to_vec(),
    }
}

// ---------------------------------------------------------------- labels

/// The label file in the making.
struct Labels {
    text: String,
    rows: usize,
    doubled: usize,
    without_photo: usize,
    undescribed: usize,
}

impl Labels {
    fn new(plans: &[Plan], written: &[Written], dice: &mut Dice) -> Self {
        let mut labels = Self {
            text: "ImageID,Source,LabelName,Confidence\n".to_owned(),
            rows: 0,
            doubled: 0,
            without_photo: 0,
            undescribed: 0,
        };
        let signed = plans.iter().zip(written).position(|(plan, written)| {
            plan.flaw.is_none() && !plan.unlabelled && !plan.copy && written.extras.traffic_sign
        });
        let photos = plans.iter().zip(written).enumerate();
        for (index, (plan, written)) in photos {
            // A copy goes by the labels of its id.
            if plan.copy || plan.unlabelled {
                continue;
            }
            labels.photo(plan, written.extras, dice);
            if Some(index) == signed {
                labels.row(&plan.id, TRAFFIC_SIGN, true, dice);
                labels.undescribed += 1;
            }
            if index % 60 == 10 {
                labels.again();
            }
        }
        for _ in 0..(plans.len() / 20).min(3) {
            let id = format!("{:016x}", dice.bits());
            labels.row(&id, dice.pick([CAR, TREE]), true, dice);
            labels.without_photo += 1;
        }
        labels
    }

    /// The rows of one photo: cars and trees first, then what else there is, then
    /// what somebody has looked for and not found.
    fn photo(&mut self, plan: &Plan, extras: Extras, dice: &mut Dice) {
        let shown = plan.labelled_scene();
        for (label, present) in [(CAR, shown.has_car()), (TREE, shown.has_tree())] {
            if present || dice.chance(0.85) {
                self.row(&plan.id, label, present, dice);
            }
        }
        let others = [
            (HOUSE, extras.house, 0.8),
            (BUS, extras.bus, 1.0),
            (STREET_LIGHT, extras.street_light, 0.6),
            (PALM_TREE, extras.palm_tree && shown.has_tree(), 0.8),
            (LAND_VEHICLE, shown.has_car(), 0.3),
            (WHEEL, shown.has_car(), 0.2),
            (PLANT, shown.has_tree(), 0.2),
        ];
        for (label, present, often) in others {
            if present && dice.chance(often) {
                self.row(&plan.id, label, true, dice);
            }
        }
        if !extras.bus && dice.chance(0.1) {
            self.row(&plan.id, BUS, false, dice);
        }
        if dice.chance(0.25) {
            self.row(&plan.id, dice.pick([DOG, CAT, BICYCLE]), false, dice);
        }
    }

    fn row(&mut self, id: &str, label: &str, present: bool, dice: &mut Dice) {
        let source = if dice.chance(0.85) {
            "verification"
        } else {
            "crowdsource-verification"
        };
        let confidence = u8::from(present);
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{id},{source},{label},{confidence}");
        self.rows += 1;
    }

    /// Repeats the last row.
    fn again(&mut self) {
        if let Some(last) = self.text.lines().last().map(str::to_owned) {
            self.text.push_str(&last);
            self.text.push('\n');
            self.rows += 1;
            self.doubled += 1;
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
mod tests {
    use super::*;
    use image::{ImageDecoder, ImageReader};
    use std::collections::{BTreeMap, HashSet};

    fn files(images: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        for folder in [images.to_owned(), images.join(PHONE)] {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_file() {
                    let below = path.strip_prefix(images).unwrap().to_owned();
                    files.insert(below, fs::read(&path).unwrap());
                }
            }
        }
        files
    }

    fn decodes(bytes: &[u8]) -> bool {
        image::load_from_memory(bytes).is_ok()
    }

    fn stem(path: &Path) -> String {
        path.file_stem().unwrap().to_str().unwrap().to_owned()
    }

    #[test]
    fn counts_match_what_is_on_disk() {
        let folder = tempfile::tempdir().unwrap();
        let made = write_collection(folder.path(), 90, 7).unwrap();
        let files = files(&made.images);
        assert_eq!(files.len(), 90);
        assert_eq!(files.len(), made.pictures);
        assert_eq!(
            made.pictures,
            made.broken + made.cars + made.trees + made.both + made.neither
        );
        assert_eq!(made.broken, 5);
        let total: usize = files.values().map(Vec::len).sum();
        assert_eq!(u64::try_from(total).unwrap(), made.bytes);

        let ids: HashSet<String> = files.keys().map(|path| stem(path)).collect();
        assert_eq!(files.len() - ids.len(), made.doubled_ids);
        assert!(ids.iter().all(|id| id.len() == 16));

        let labels = fs::read_to_string(&made.labels).unwrap();
        let mut lines = labels.lines();
        assert_eq!(lines.next(), Some("ImageID,Source,LabelName,Confidence"));
        let rows: Vec<&str> = lines.collect();
        assert_eq!(rows.len(), made.label_rows);
        assert_eq!(
            rows.len() - rows.iter().collect::<HashSet<_>>().len(),
            made.doubled_rows
        );
        assert!(made.doubled_rows > 0);
        let labelled: HashSet<&str> = rows
            .iter()
            .map(|row| row.split(',').next().unwrap())
            .collect();
        assert_eq!(
            labelled.iter().filter(|id| !ids.contains(**id)).count(),
            made.without_photo
        );
        assert_eq!(
            ids.iter()
                .filter(|id| !labelled.contains(id.as_str()))
                .count(),
            made.unlabelled
        );
        assert!(made.without_photo > 0 && made.unlabelled > 0);

        let classes = fs::read_to_string(&made.classes).unwrap();
        let described: HashSet<&str> = classes
            .lines()
            .map(|line| line.split(',').next().unwrap())
            .collect();
        let undescribed = rows
            .iter()
            .filter(|row| !described.contains(row.split(',').nth(2).unwrap()));
        assert_eq!(undescribed.count(), made.undescribed_rows);
        assert_eq!(made.undescribed_rows, 1);
        assert_eq!(made.wrong_labels, 2);
    }

    #[test]
    fn every_whole_file_decodes_and_is_upright() {
        let folder = tempfile::tempdir().unwrap();
        let made = write_collection(folder.path(), 60, 3).unwrap();
        let plans = plan(60, &mut Dice::new(3).fork());
        let mut turned = 0;
        for plan in plans.iter().filter(|plan| plan.flaw.is_none()) {
            let path = plan.path(&made.images);
            let mut decoder = ImageReader::open(&path)
                .unwrap()
                .with_guessed_format()
                .unwrap()
                .into_decoder()
                .unwrap();
            let orientation = decoder.orientation().unwrap();
            turned += usize::from(orientation != Orientation::NoTransforms);
            let mut picture = DynamicImage::from_decoder(decoder).unwrap();
            picture.apply_orientation(orientation);
            assert_eq!(
                (picture.width(), picture.height()),
                (plan.width, plan.height),
                "{}",
                path.display()
            );
            // As drawn, but for what the encoding lost.
            let (drawn, _) = draw_with_extras(plan.scene, plan.width, plan.height, plan.seed);
            let grey = |picture: DynamicImage| picture.into_luma8().into_raw();
            let (read, drawn) = (grey(picture), grey(DynamicImage::ImageRgb8(drawn)));
            let off: u64 = read
                .iter()
                .zip(&drawn)
                .map(|(read, drawn)| u64::from(read.abs_diff(*drawn)))
                .sum();
            let mean = off as f64 / read.len() as f64;
            assert!(mean < 12.0, "{}: off by {mean}", path.display());
        }
        assert_eq!(turned, made.turned);
        assert!(turned > 0, "the seed should give some turned photos");
    }

    #[test]
    fn broken_files_do_not_decode() {
        let picture = draw_with_extras(Scene::Car, 320, 240, 5).0;
        for (flaw, encoding) in [
            (Flaw::Damaged, Encoding::Png { alpha: false }),
            (Flaw::Text, Encoding::WebP),
            (Flaw::Html, Encoding::Gif),
            (Flaw::Empty, Encoding::Bmp),
        ] {
            let mut plan = Plan::new("0".repeat(16), &mut Dice::new(1));
            plan.encoding = encoding;
            let healthy = encode(picture.clone(), &plan).unwrap();
            assert!(decodes(&healthy), "{encoding:?}");
            assert!(!decodes(&spoil(healthy, flaw)), "{flaw:?}");
        }
    }

    #[test]
    fn the_seed_decides_every_byte() {
        let folder = tempfile::tempdir().unwrap();
        let read = |name: &str, seed: u64| {
            let made = write_collection(&folder.path().join(name), 16, seed).unwrap();
            (files(&made.images), fs::read(made.labels).unwrap())
        };
        let (first, again, other) = (read("first", 1), read("again", 1), read("other", 2));
        assert!(first == again);
        assert!(first != other);
    }

    #[test]
    fn small_collections_and_taken_folders() {
        let folder = tempfile::tempdir().unwrap();
        for pictures in [0, 1, 9, 13] {
            let place = folder.path().join(pictures.to_string());
            let made = write_collection(&place, pictures, 11).unwrap();
            assert_eq!(files(&made.images).len(), pictures);
            assert!(matches!(
                write_collection(&place, pictures, 11),
                Err(CollectionError::Exists { .. })
            ));
        }
    }
}
