//! A folder an identity: `DIR/NAME/*.{png,jpg,jpeg,pgm}`, the folder's name being the identity's.
//!
//! Folders and files are taken in [`natural_order`]; hidden ones (with a leading dot), files beside the identities' folders
//! and files with other extensions are passed over.

use std::fs;
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageDecoder, ImageReader, ImageResult, Limits};
use rayon::prelude::*;
use shared::frontend::MAX_SIDE;

use super::{DataError, Dataset, RawSample, Sample, natural_order};

const EXTENSIONS: [&str; 4] = ["png", "jpg", "jpeg", "pgm"];

/// The names of the identities in `folder`, at least two, in natural order.
pub fn identities(folder: &Path) -> Result<Vec<String>, DataError> {
    if !folder.is_dir() {
        return Err(DataError::NoFolder(folder.to_path_buf()));
    }
    let mut names = Vec::new();
    for (name, path) in entries(folder)? {
        if path.is_dir() {
            names.push(name);
        }
    }
    if names.len() < 2 {
        return Err(DataError::Identities { path: folder.to_path_buf(), found: names.len() });
    }
    Ok(names)
}

/// The pictures of the identities in `folder` whose names `keep` accepts.
pub fn load(folder: &Path, keep: impl Fn(&str) -> bool) -> Result<Dataset, DataError> {
    let mut identities = identities(folder)?;
    identities.retain(|name| keep(name));
    let mut files = Vec::new();
    for (identity, name) in identities.iter().enumerate() {
        let own = folder.join(name);
        let before = files.len();
        for (_, path) in entries(&own)? {
            if is_picture(&path) {
                files.push((identity, path));
            }
        }
        if files.len() == before {
            return Err(DataError::NoPictures(own));
        }
    }
    Ok(Dataset { identities, samples: read_all(files)?, ..Dataset::default() })
}

/// The pictures at these paths, each with its identity.
pub(super) fn read_all(files: Vec<(usize, PathBuf)>) -> Result<Vec<Sample>, DataError> {
    files.into_par_iter().map(|(identity, path)| read(&path).map(|raw| Sample { identity, raw })).collect()
}

/// The picture at `path` in 8-bit grey, upright as its EXIF orientation says; what is transparent is seen on white.
pub fn read(path: &Path) -> Result<RawSample, DataError> {
    let unreadable = |source| DataError::Read { path: path.to_path_buf(), source };
    let wrong = |reason: String| DataError::Picture { path: path.to_path_buf(), reason };
    let mut reader = ImageReader::open(path).and_then(ImageReader::with_guessed_format).map_err(unreadable)?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE.into());
    limits.max_image_height = Some(MAX_SIDE.into());
    reader.limits(limits);
    let decoded = || -> ImageResult<DynamicImage> {
        let mut decoder = reader.into_decoder()?;
        let orientation = decoder.orientation()?;
        let mut picture = DynamicImage::from_decoder(decoder)?;
        picture.apply_orientation(orientation);
        Ok(picture)
    };
    let picture = decoded().map_err(|error| wrong(error.to_string()))?;
    let (Ok(width), Ok(height)) = (picture.width().try_into(), picture.height().try_into()) else {
        return Err(wrong(format!("its sides are longer than {MAX_SIDE}")));
    };
    Ok(RawSample::Image { width, height, channels: 1, pixels: grey(&picture) })
}

/// `grey * alpha + white * (1 - alpha)`, rounded half up.
fn grey(picture: &DynamicImage) -> Vec<u8> {
    if !picture.color().has_alpha() {
        return picture.to_luma8().into_raw();
    }
    let on_white = |[grey, alpha]: [u8; 2]| {
        let (grey, alpha) = (u16::from(grey), u16::from(alpha));
        ((u32::from(grey) * u32::from(alpha) + 255 * u32::from(255 - alpha) + 127) / 255) as u8
    };
    picture.to_luma_alpha8().pixels().map(|pixel| on_white(pixel.0)).collect()
}

pub(super) fn is_picture(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    let known = |extension: &str| EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(extension));
    extension.is_some_and(known) && path.is_file()
}

/// Names and paths of what is in `folder` and not hidden, in natural order.
pub(super) fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>, DataError> {
    let unreadable = |source| DataError::Read { path: folder.to_path_buf(), source };
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().unwrap_or_default().to_str();
        let name = name.ok_or_else(|| DataError::Name(path.clone()))?.to_string();
        if !name.starts_with('.') {
            entries.push((name, path));
        }
    }
    entries.sort_by(|(a, _), (b, _)| natural_order(a, b));
    Ok(entries)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use image::{GrayImage, ImageFormat, Luma, Rgba, RgbaImage};
    use tempfile::TempDir;

    /// A folder with a picture at each of `files`, its pixels all of the file's number here.
    pub(in crate::data) fn folder_of([width, height]: [u32; 2], files: &[&str]) -> TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (number, file) in files.iter().enumerate() {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().expect("a parent")).expect(file);
            GrayImage::from_pixel(width, height, Luma([number as u8])).save(&path).expect(file);
        }
        folder
    }

    fn folder(files: &[&str]) -> TempDir {
        folder_of([2, 3], files)
    }

    fn grey(value: u8) -> RawSample {
        RawSample::Image { width: 2, height: 3, channels: 1, pixels: vec![value; 6] }
    }

    #[test]
    fn folders_and_files_come_in_natural_order() {
        let folder =
            folder(&["s10/1.png", "s2/10.pgm", "s2/9.PNG", ".git/1.png", "notes.png", "s2/.1.png", "s1/a.pgm"]);
        fs::write(folder.path().join("s2/readme.txt"), "no picture").expect("a file");
        let dataset = load(folder.path(), |_| true).expect("sound");
        assert_eq!(dataset.identities, ["s1", "s2", "s10"]);
        assert_eq!(dataset.labels(), [0, 1, 1, 2]);
        let raws: Vec<_> = dataset.samples.into_iter().map(|sample| sample.raw).collect();
        assert_eq!(raws, [grey(6), grey(2), grey(1), grey(0)]);
        let one = load(folder.path(), |name| name == "s10").expect("sound");
        assert_eq!((one.identities, one.samples.len()), (vec!["s10".to_string()], 1));
    }

    #[test]
    fn colours_and_transparency_become_grey() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.png");
        let mut picture = RgbaImage::from_pixel(3, 1, Rgba([0, 0, 0, 0]));
        picture.put_pixel(1, 0, Rgba([40, 40, 40, 255]));
        picture.put_pixel(2, 0, Rgba([0, 0, 0, 51]));
        picture.save(&path).expect("a file");
        assert_eq!(read(&path).expect("a picture").pixels(), [255, 40, 204]);
        // Its content tells what a file is, whatever its name says.
        let jpeg = folder.path().join("b.png");
        GrayImage::from_pixel(2, 3, Luma([90])).save_with_format(&jpeg, ImageFormat::Jpeg).expect("a file");
        assert_eq!(read(&jpeg).expect("a picture"), grey(90));
    }

    #[test]
    fn a_telephone_held_sideways_makes_upright_pictures() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.jpg");
        // Black above white.
        let picture = GrayImage::from_fn(16, 32, |_, y| Luma([if y < 16 { 0 } else { 255 }]));
        picture.save_with_format(&path, ImageFormat::Jpeg).expect("a file");
        let jpeg = fs::read(&path).expect("a file");
        // EXIF with one entry, the orientation (0x112), a short, 6: to be turned right by a quarter.
        let exif =
            [&b"\xff\xe1\x00\x22Exif\0\0II*\0\x08\0\0\0\x01\0"[..], b"\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"]
                .concat();
        fs::write(&path, [&jpeg[..2], &exif, &jpeg[2..]].concat()).expect("a file");
        let RawSample::Image { width, height, pixels, .. } = read(&path).expect("a picture") else {
            panic!("it is a picture");
        };
        assert_eq!((width, height), (32, 16));
        // What was above is on the right.
        assert!(pixels[0] > 200 && pixels[31] < 50, "{} {}", pixels[0], pixels[31]);
    }

    #[test]
    fn what_is_no_picture_is_named() {
        let folder = folder(&["a/1.png", "b/1.png"]);
        let bad = folder.path().join("b/2.png");
        let good = fs::read(folder.path().join("a/1.png")).expect("a file");
        for bytes in [b"not a picture".as_slice(), b"", &good[..good.len() / 2]] {
            fs::write(&bad, bytes).expect("a file");
            let error = load(folder.path(), |_| true).expect_err("a bad picture").to_string();
            let start = format!("{} is no readable PNG, JPEG or PGM picture: ", bad.display());
            assert!(error.starts_with(&start) && !error.contains('\n'), "{error}");
        }
        let huge = b"P5 60000 60000 255\n";
        fs::write(&bad, huge).expect("a file");
        assert!(read(&bad).is_err());
        assert!(matches!(read(&folder.path().join("a/9.png")), Err(DataError::Read { .. })));
    }

    #[test]
    fn folders_without_identities_are_named() {
        let folder = folder(&["a/1.png"]);
        let error = identities(folder.path()).expect_err("one identity").to_string();
        assert!(error.contains("has 1 folders with pictures; put each"), "{error}");
        fs::create_dir(folder.path().join("b")).expect("a folder");
        let error = load(folder.path(), |_| true).expect_err("empty").to_string();
        assert!(error.contains("/b holds no picture"), "{error}");
        let error = load(&folder.path().join("c"), |_| true).expect_err("missing").to_string();
        assert!(error.contains("there is no folder") && error.contains("/c;"), "{error}");
    }
}
