//! What the network gets to see, as pictures within the page.

use std::io::Cursor;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use image::{DynamicImage, GrayImage, ImageFormat, RgbImage};
use shared::geometry::Shape;

use crate::data::{Dataset, Tensors};
use crate::model::BundleBytes;

/// How a tensor is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// As the grey picture that it is.
    Picture,
    /// As a spectrogram: loud is bright, and the first row, the lowest band, is at the bottom.
    Spectrogram,
}

/// The samples of a report: the genuine ones, then the forgeries.
pub struct Pictures<'a> {
    /// The genuine samples.
    pub data: &'a Dataset,
    /// The forgeries.
    pub forged: &'a Dataset,
    /// The model that they are seen by.
    pub bytes: &'a BundleBytes,
    /// How they are shown.
    pub look: Look,
}

impl Pictures<'_> {
    /// What the network sees of sample `index`.
    pub fn of(&self, index: usize) -> Option<String> {
        let genuine = self.data.samples.len();
        let sample = match index.checked_sub(genuine) {
            None => &self.data.samples[index],
            Some(forged) => self.forged.samples.get(forged)?,
        };
        let bundle = self.bytes.bundle().ok()?;
        let header = bundle.header();
        let identities = vec![String::new(); sample.identity + 1];
        let one = Dataset { identities, samples: vec![sample.clone()], ..Dataset::default() };
        let tensors = Tensors::new(&one, &header.frontend).ok()?;
        data_uri(&tensors.data, header.input(), self.look)
    }

    /// The name of the identity that sample `index` is of, or imitates.
    pub fn name(&self, index: usize) -> &str {
        let genuine = self.data.samples.len();
        let sample = match index.checked_sub(genuine) {
            None => self.data.samples.get(index),
            Some(forged) => self.forged.samples.get(forged),
        };
        sample.and_then(|sample| self.data.identities.get(sample.identity)).map_or("", String::as_str)
    }
}

/// The input tensor, of one channel, as the URI of a PNG; none where the tensor is not as long as its shape says.
pub fn data_uri(tensor: &[u8], shape: Shape, look: Look) -> Option<String> {
    let (width, height) = (u32::from(shape.width), u32::from(shape.height));
    let plane = width as usize * height as usize;
    let picture: DynamicImage = match look {
        Look::Picture => GrayImage::from_raw(width, height, tensor.get(..plane)?.to_vec())?.into(),
        Look::Spectrogram => {
            let rows = tensor.get(..plane)?.chunks(width.max(1) as usize).rev();
            let colours = rows.flatten().flat_map(|&level| heat(level)).collect();
            RgbImage::from_raw(width, height, colours)?.into()
        }
    };
    let mut png = Cursor::new(Vec::new());
    picture.write_to(&mut png, ImageFormat::Png).ok()?;
    Some(format!("data:image/png;base64,{}", BASE64_STANDARD.encode(png.into_inner())))
}

/// Black over violet and orange to pale yellow, rising in lightness.
fn heat(level: u8) -> [u8; 3] {
    const STOPS: [[f32; 3]; 5] =
        [[0., 0., 4.], [81., 18., 124.], [183., 55., 121.], [252., 137., 97.], [252., 253., 191.]];
    let at = f32::from(level) / 255.0 * (STOPS.len() - 1) as f32;
    let (below, part) = ((at as usize).min(STOPS.len() - 2), at - (at as usize).min(STOPS.len() - 2) as f32);
    std::array::from_fn(|c| (STOPS[below][c] + part * (STOPS[below + 1][c] - STOPS[below][c])).round() as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(uri: &str) -> DynamicImage {
        let bytes = BASE64_STANDARD.decode(uri.strip_prefix("data:image/png;base64,").unwrap()).unwrap();
        image::load_from_memory(&bytes).unwrap()
    }

    #[test]
    fn tensors_become_png() {
        let shape = Shape { height: 2, width: 1, channels: 1 };
        let grey = decode(&data_uri(&[7, 200], shape, Look::Picture).unwrap());
        assert_eq!(grey.into_luma8().into_raw(), [7, 200]);
        assert_eq!(data_uri(&[1], Shape { height: 2, width: 1, channels: 1 }, Look::Picture), None);
    }

    #[test]
    fn louder_is_brighter() {
        let light = |level| heat(level).iter().map(|&c| u32::from(c)).sum::<u32>();
        assert!((1..=255).all(|level| light(level) >= light(level - 1)));
        let shape = Shape { height: 2, width: 1, channels: 1 };
        let upright = decode(&data_uri(&[0, 255], shape, Look::Spectrogram).unwrap()).into_rgb8().into_raw();
        assert_eq!(upright, [252, 253, 191, 0, 0, 4]);
    }
}
