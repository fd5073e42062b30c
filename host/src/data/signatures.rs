//! Signatures with imitations: `DIR/WRITER/genuine/*` and `DIR/WRITER/forged/*`, the writer's folder being the identity.
//!
//! What stands in `genuine` becomes [`Dataset::samples`]; what stands in `forged`, where there is such a folder, was written
//! by others who imitate that writer and becomes [`Dataset::forgeries`].

use std::path::Path;

use super::images::{self, entries, is_picture};
use super::{DataError, Dataset};

const GENUINE: &str = "genuine";
const FORGED: &str = "forged";

/// The names of the writers in `folder`, at least two, in natural order.
pub fn identities(folder: &Path) -> Result<Vec<String>, DataError> {
    let names = images::identities(folder)?;
    match names.iter().map(|name| folder.join(name)).find(|writer| !writer.join(GENUINE).is_dir()) {
        Some(writer) => Err(DataError::NoGenuine(writer)),
        None => Ok(names),
    }
}

/// The genuine and the forged signatures of the writers in `folder` whose names `keep` accepts.
pub fn load(folder: &Path, keep: impl Fn(&str) -> bool) -> Result<Dataset, DataError> {
    let mut identities = identities(folder)?;
    identities.retain(|name| keep(name));
    let (mut genuine, mut forged) = (Vec::new(), Vec::new());
    for (identity, name) in identities.iter().enumerate() {
        let pictures = |path: &Path| -> Result<Vec<_>, DataError> {
            let pictures = entries(path)?.into_iter().filter(|(_, path)| is_picture(path));
            Ok(pictures.map(|(_, path)| (identity, path)).collect())
        };
        let own = folder.join(name).join(GENUINE);
        let mut written = pictures(&own)?;
        if written.is_empty() {
            return Err(DataError::NoPictures(own));
        }
        genuine.append(&mut written);
        let imitated = folder.join(name).join(FORGED);
        if imitated.is_dir() {
            forged.append(&mut pictures(&imitated)?);
        }
    }
    Ok(Dataset { identities, samples: images::read_all(genuine)?, forgeries: images::read_all(forged)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Sample;
    use crate::data::images::tests::folder_of;
    use std::fs;
    use tempfile::TempDir;

    /// Of pictures of one pixel, its value the file's number here.
    fn folder(files: &[&str]) -> TempDir {
        folder_of([1, 1], files)
    }

    fn values(samples: &[Sample]) -> Vec<(usize, u8)> {
        let value = |sample: &Sample| (sample.identity, sample.raw.pixels()[0]);
        samples.iter().map(value).collect()
    }

    #[test]
    fn forgeries_are_apart() {
        let folder = folder(&["002/genuine/a.png", "002/forged/x.png", "001/genuine/b.png", "001/genuine/a.png"]);
        let all = load(folder.path(), |_| true).expect("sound");
        assert_eq!(all.identities, ["001", "002"]);
        assert_eq!(values(&all.samples), [(0, 3), (0, 2), (1, 0)]);
        assert_eq!(values(&all.forgeries), [(1, 1)]);
        let second = load(folder.path(), |name| name == "002").expect("sound");
        assert_eq!((values(&second.samples), values(&second.forgeries)), (vec![(0, 0)], vec![(0, 1)]));
    }

    #[test]
    fn folders_that_are_none_are_named() {
        let folder = folder(&["001/genuine/a.png", "002/forged/a.png"]);
        let error = load(folder.path(), |_| true).expect_err("nothing genuine").to_string();
        assert!(error.contains("002 has no folder `genuine`"), "{error}");
        fs::create_dir(folder.path().join("002/genuine")).expect("a folder");
        let error = load(folder.path(), |_| true).expect_err("nothing genuine").to_string();
        assert!(error.contains("genuine holds no picture"), "{error}");
        let missing = identities(&folder.path().join("none"));
        assert!(matches!(missing, Err(DataError::NoFolder(_))));
    }
}
