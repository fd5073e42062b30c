//! MNIST and the sets that share its files: IDX, plain or compressed with gzip.
//!
//! An IDX file of bytes is `00 00 08 DIMS`, then `DIMS` sizes (u32, big-endian), then the bytes, the last size fastest.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::GzDecoder;

use super::{DataError, Dataset, RawSample, Sample};

/// The two halves in which the set comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// `train-*`: 60,000 digits in MNIST.
    Training,
    /// `t10k-*`: 10,000 digits in MNIST.
    Testing,
}

/// Names of the identities.
pub const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

/// The longest content that is read, in bytes; larger than every published set of this kind.
const MAX_CONTENT: u64 = 1 << 30;

/// The longest side of a picture, in pixels.
const MAX_SIDE: u32 = 1024;

/// All digits of one half, in the order of the file.
pub fn load(folder: &Path, half: Half) -> Result<Dataset, DataError> {
    if !folder.is_dir() {
        return Err(DataError::NoFolder(folder.to_path_buf()));
    }
    let prefix = match half {
        Half::Training => "train",
        Half::Testing => "t10k",
    };
    let (path, [count, height, width], pixels) = read::<3>(&folder.join(format!("{prefix}-images-idx3-ubyte")))?;
    let side = 1..=MAX_SIDE;
    if !side.contains(&height) || !side.contains(&width) {
        let expected = format!("pictures with sides from 1 to {MAX_SIDE}");
        return Err(wrong(&path, expected, format!("{width}x{height}")));
    }
    let (path, [labels_count], labels) = read::<1>(&folder.join(format!("{prefix}-labels-idx1-ubyte")))?;
    if labels_count != count {
        return Err(wrong(&path, format!("{count} labels"), labels_count.to_string()));
    }
    if let Some(label) = labels.iter().find(|&&label| label > 9) {
        return Err(wrong(&path, "labels from 0 to 9".into(), label.to_string()));
    }
    let samples = labels
        .iter()
        .zip(pixels.chunks_exact((width * height) as usize))
        .map(|(&label, pixels)| Sample {
            identity: usize::from(label),
            raw: RawSample::Image { width: width as u16, height: height as u16, channels: 1, pixels: pixels.to_vec() },
        })
        .collect();
    Ok(Dataset { identities: DIGITS.map(String::from).to_vec(), samples, ..Dataset::default() })
}

/// The sizes and the content of the IDX file at `path`, or of its compressed twin, and the path that was taken.
fn read<const DIMS: usize>(path: &Path) -> Result<(PathBuf, [u32; DIMS], Vec<u8>), DataError> {
    let mut packed = path.as_os_str().to_owned();
    packed.push(".gz");
    let packed = PathBuf::from(packed);
    let at = |path: &Path, source| DataError::Read { path: path.to_path_buf(), source };
    let plain = match File::open(path) {
        Ok(file) => Some(BufReader::new(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(at(path, error)),
    };
    if let Some(mut file) = plain {
        let (sizes, content) = parse(path, &mut file)?;
        return Ok((path.to_path_buf(), sizes, content));
    }
    match File::open(&packed) {
        Ok(file) => {
            let mut unpacked = GzDecoder::new(BufReader::new(file));
            let (sizes, content) = parse(&packed, &mut unpacked)?;
            let mut rest = unpacked.into_inner();
            if !rest.fill_buf().map_err(|error| at(&packed, error))?.is_empty() {
                let found = "more bytes".to_string();
                return Err(wrong(&packed, "the end after the compressed part".into(), found));
            }
            Ok((packed, sizes, content))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(DataError::NoFile(path.to_path_buf())),
        Err(error) => Err(at(&packed, error)),
    }
}

/// Reads to the end of `file`, so that a compressed file's checksum is verified; memory grows with the bytes that come,
/// not with the sizes that the header states.
fn parse<const DIMS: usize>(path: &Path, file: &mut impl Read) -> Result<([u32; DIMS], Vec<u8>), DataError> {
    let head_len = 4 + 4 * DIMS;
    let head = take(path, file, head_len as u64)?;
    if head.len() < head_len {
        let expected = format!("a header of {head_len} bytes");
        return Err(wrong(path, expected, head.len().to_string()));
    }
    let (magic, sizes_bytes) = head.split_at(4);
    let expected = [0, 0, 8, DIMS as u8];
    if magic != expected {
        return Err(wrong(path, format!("{expected:02x?} at its start"), format!("{magic:02x?}")));
    }
    let mut sizes = [0; DIMS];
    for (size, bytes) in sizes.iter_mut().zip(sizes_bytes.chunks_exact(4)) {
        *size = bytes.iter().fold(0, |n, &byte| n << 8 | u32::from(byte));
    }
    let length = sizes
        .iter()
        .try_fold(1u64, |n, &size| n.checked_mul(u64::from(size)))
        .filter(|&length| length <= MAX_CONTENT)
        .ok_or_else(|| {
            let expected = format!("at most {MAX_CONTENT} bytes of content");
            wrong(path, expected, format!("sizes {sizes:?}"))
        })?;
    let content = take(path, file, length + 1)?;
    let expected = || format!("{length} bytes after the header (sizes {sizes:?})");
    match content.len() as u64 {
        found if found > length => Err(wrong(path, expected(), "more".into())),
        found if found < length => Err(wrong(path, expected(), format!("only {found}"))),
        _ => Ok((sizes, content)),
    }
}

/// Up to `limit` bytes; fewer where the file ends, in the midst of a compressed stream too.
fn take(path: &Path, file: &mut impl Read, limit: u64) -> Result<Vec<u8>, DataError> {
    let mut bytes = Vec::new();
    match file.take(limit).read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            let found = format!("a compressed stream cut off after {} bytes", bytes.len());
            Err(wrong(path, format!("up to {limit} bytes"), found))
        }
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
            Err(wrong(path, "a gzip stream".into(), error.to_string()))
        }
        Err(source) => Err(DataError::Read { path: path.to_path_buf(), source }),
    }
}

fn wrong(path: &Path, expected: String, found: String) -> DataError {
    DataError::Idx { path: path.to_path_buf(), expected, found }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use proptest::prelude::*;
    use std::fs;
    use std::io::Write;
    use tempfile::TempDir;

    fn idx(sizes: &[u32], content: &[u8]) -> Vec<u8> {
        let mut file = vec![0, 0, 8, sizes.len() as u8];
        file.extend(sizes.iter().flat_map(|size| size.to_be_bytes()));
        file.extend(content);
        file
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory")
    }

    /// Three pictures of 2 x 1 pixels.
    fn images() -> Vec<u8> {
        idx(&[3, 1, 2], &[1, 2, 3, 4, 5, 6])
    }

    fn labels() -> Vec<u8> {
        idx(&[3], &[7, 0, 7])
    }

    fn folder(files: &[(&str, Vec<u8>)]) -> TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, bytes) in files {
            fs::write(folder.path().join(name), bytes).expect(name);
        }
        folder
    }

    const IMAGES: &str = "train-images-idx3-ubyte";
    const LABELS: &str = "train-labels-idx1-ubyte";

    #[test]
    fn plain_and_compressed_files_read_alike() {
        let plain = folder(&[(IMAGES, images()), (LABELS, labels())]);
        let packed =
            folder(&[("train-images-idx3-ubyte.gz", gzip(&images())), ("train-labels-idx1-ubyte.gz", gzip(&labels()))]);
        let dataset = load(plain.path(), Half::Training).expect("sound files");
        assert_eq!(dataset, load(packed.path(), Half::Training).expect("sound files"));
        assert_eq!(dataset.labels(), [7, 0, 7]);
        assert_eq!(dataset.samples[1].raw, RawSample::Image { width: 2, height: 1, channels: 1, pixels: vec![3, 4] });
    }

    /// The error of a folder whose image file holds `bytes`, less the folder's name.
    fn error_of(name: &str, bytes: Vec<u8>) -> String {
        let folder = folder(&[(name, bytes), (LABELS, labels())]);
        let error = load(folder.path(), Half::Training).expect_err("unsound");
        error.to_string().replace(&format!("{}/", folder.path().display()), "")
    }

    #[test]
    fn unsound_files_say_what_is_wrong() {
        let cases = [
            (images()[..10].to_vec(), "expected a header of 16 bytes, found 10"),
            (images()[..20].to_vec(), "expected 6 bytes after the header (sizes [3, 1, 2]), found only 4"),
            ([images(), vec![0]].concat(), "expected 6 bytes after the header (sizes [3, 1, 2]), found more"),
            (idx(&[3], &[1, 2, 3]), "expected a header of 16 bytes, found 11"),
            (b"<!DOCTYPE html><html>".to_vec(), "expected [00, 00, 08, 03] at its start, found [3c, 21, 44, 4f]"),
            (
                idx(&[u32::MAX; 3], &[1]),
                "expected at most 1073741824 bytes of content, found sizes [4294967295, 4294967295, 4294967295]",
            ),
            (
                idx(&[1000, 1000, 1000], &[1]),
                "expected 1000000000 bytes after the header (sizes [1000, 1000, 1000]), found only 1",
            ),
            (idx(&[3, 0, 2], &[]), "expected pictures with sides from 1 to 1024, found 2x0"),
            (idx(&[2, 1, 2], &[1, 2, 3, 4]), "expected 2 labels, found 3"),
        ];
        for (bytes, reason) in cases {
            let name = if reason.contains("labels") { LABELS } else { IMAGES };
            let expected = format!("{name} is no sound IDX file: {reason}; fetch it again");
            assert_eq!(error_of(IMAGES, bytes), expected);
        }
    }

    #[test]
    fn unsound_compression_says_what_is_wrong() {
        let name = "train-images-idx3-ubyte.gz";
        let packed = gzip(&images());
        let mut bad_sum = packed.clone();
        let at = bad_sum.len() - 8;
        bad_sum[at] ^= 1;
        let cases = [
            (packed[..packed.len() - 9].to_vec(), "cut off"),
            (packed[..5].to_vec(), "cut off"),
            (images(), "expected a gzip stream, found invalid gzip header"),
            (bad_sum, "expected a gzip stream, found corrupt gzip stream"),
            ([packed, vec![1]].concat(), "expected the end after the compressed part, found more bytes"),
        ];
        for (bytes, reason) in cases {
            let error = error_of(name, bytes);
            assert!(error.starts_with(name) && error.contains(reason), "{error}");
        }
    }

    #[test]
    fn missing_things_are_named() {
        let empty = folder(&[]);
        let error = load(empty.path(), Half::Testing).expect_err("no files").to_string();
        assert!(error.contains("t10k-images-idx3-ubyte (nor with .gz at its end)"), "{error}");
        let error = load(&empty.path().join("no"), Half::Testing).expect_err("no folder");
        assert!(matches!(error, DataError::NoFolder(_)));
        let folder = folder(&[(IMAGES, images()), (LABELS, idx(&[3], &[1, 10, 2]))]);
        let error = load(folder.path(), Half::Training).expect_err("label 10").to_string();
        assert!(error.contains("expected labels from 0 to 9, found 10"), "{error}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..60), keep in 0usize..16) {
            let mut file = images();
            file.truncate(keep);
            file.extend(bytes);
            if let Ok((sizes, content)) = parse::<3>(Path::new("x"), &mut file.as_slice()) {
                prop_assert_eq!(content.len() as u64, sizes.iter().map(|&n| u64::from(n)).product::<u64>());
            }
        }
    }
}
