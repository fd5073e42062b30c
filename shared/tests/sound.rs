//! The sound front end against its definition in f64, and in chunks of any size.
#![allow(missing_docs)]

#[path = "cases/sound.rs"]
mod cases;

use proptest::prelude::*;
use shared::frontend::{Fill, FrontEnd, FrontendError, LogMel, Pixels, Quality, Raw, RawHeader, SettingsError, Sound};

const SETTINGS: LogMel = LogMel {
    rate: 8000,
    window: 256,
    hop: 128,
    bands: 32,
    frames: 48,
    low: 60,
    high: 4000,
    range: 60,
    trim: 30,
    pre_emphasis: true,
    fill: Fill::Silence,
};

fn bytes(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|x| x.to_le_bytes()).collect()
}

fn run(settings: LogMel, rate: u32, samples: &[i16]) -> Result<(Vec<u8>, Quality), FrontendError> {
    let front = FrontEnd::LogMel(settings);
    let (mut tensor, mut work) = (vec![7; front.tensor_len()], vec![!0; front.work_words()]);
    let samples = bytes(samples);
    let quality = front.run(Raw::Sound(Sound { rate, samples: &samples }), &mut tensor, &mut work)?;
    Ok((tensor, quality))
}

/// A voice of sorts: harmonics of a gliding pitch, noise, and silence before and after.
fn voice(rate: u32, seed: u64) -> Vec<i16> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut noise = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / (1u64 << 30) as f64 - 1.0
    };
    let rate = f64::from(rate);
    let len = (0.7 * rate) as usize;
    let (pitch, formant) = (90.0 + (seed % 7) as f64 * 20.0, 500.0 + (seed % 5) as f64 * 150.0);
    let mut phase = 0.0;
    (0..len)
        .map(|n| {
            let t = n as f64 / rate;
            let speaks = (0.15..0.5).contains(&t);
            let pitch = pitch * (1.0 + 0.3 * t);
            phase += 2.0 * std::f64::consts::PI * pitch / rate;
            let harmonic = |k: f64| (k * phase).sin() / (1.0 + ((k * pitch - formant) / 300.0).powi(2));
            let sound: f64 = (1..20).map(|k| harmonic(f64::from(k))).sum();
            let level = if speaks { 4000.0 } else { 0.0 };
            (level * sound + 6.0 * noise()).round().clamp(-32768.0, 32767.0) as i16
        })
        .collect()
}

/// The definition, step by step, in f64; a value is a real number here.
fn define(settings: &LogMel, samples: &[i16]) -> Vec<f64> {
    let (window, bands) = (usize::from(settings.window), usize::from(settings.bands));
    let mel = |f: f64| 2595.0 * (1.0 + f / 700.0).log10();
    let (low, high) = (mel(settings.low.into()), mel(settings.high.into()));
    let edge = |i: usize| {
        let m = low + (high - low) * i as f64 / (bands + 1) as f64;
        700.0 * (10f64.powf(m / 2595.0) - 1.0)
    };
    let mut frames: Vec<Vec<f64>> = vec![];
    for start in (0..(samples.len() + 1).saturating_sub(window)).step_by(settings.hop.into()) {
        let frame: Vec<f64> = samples[start..start + window].iter().map(|&x| f64::from(x)).collect();
        let windowed: Vec<f64> = (0..window)
            .map(|n| {
                let before = if settings.pre_emphasis { 31.0 / 32.0 * frame[n.saturating_sub(1)] } else { 0.0 };
                let angle = 2.0 * std::f64::consts::PI * n as f64 / window as f64;
                (frame[n] - before) * (0.5 - 0.5 * angle.cos())
            })
            .collect();
        let power: Vec<f64> = (0..=window / 2)
            .map(|k| {
                let angle = |n: usize| 2.0 * std::f64::consts::PI * (n * k % window) as f64 / window as f64;
                let re: f64 = windowed.iter().enumerate().map(|(n, x)| x * angle(n).cos()).sum();
                let im: f64 = windowed.iter().enumerate().map(|(n, x)| x * angle(n).sin()).sum();
                re * re + im * im
            })
            .collect();
        let band = |b: usize| -> f64 {
            let (left, middle, right) = (edge(b), edge(b + 1), edge(b + 2));
            let weight = |k: usize| {
                let f = k as f64 * f64::from(settings.rate) / window as f64;
                ((f - left) / (middle - left)).min((right - f) / (right - middle)).max(0.0)
            };
            power.iter().enumerate().map(|(k, p)| p * weight(k)).sum()
        };
        frames.push((0..bands).map(band).collect());
    }
    let decibels = |power: f64| 10.0 * (power + 8.0).log10();
    let loudness: Vec<f64> = frames.iter().map(|frame| decibels(frame.iter().sum())).collect();
    let loudest = loudness.iter().copied().fold(f64::MIN, f64::max);
    let sounds = |level: &f64| *level >= loudest - f64::from(settings.trim);
    let first = loudness.iter().position(sounds).unwrap();
    let last = loudness.iter().rposition(sounds).unwrap();
    let peak = frames.iter().flatten().map(|&power| decibels(power)).fold(f64::MIN, f64::max);
    let kept = &frames[first..=last];
    let width = usize::from(settings.frames);
    assert!(kept.len() <= width, "the definition here does not cut");
    let mut tensor = vec![0.0; bands * width];
    let value = |s: usize, b: usize| {
        let below = (peak - decibels(kept[s.min(kept.len() - 1)][b])) * 255.0 / f64::from(settings.range);
        (255.0 - below).max(0.0)
    };
    for t in 0..width {
        for b in 0..bands {
            tensor[b * width + t] = match settings.fill {
                Fill::Repeat => value(t % kept.len(), b),
                Fill::Silence => {
                    let source = t.checked_sub((width - kept.len()) / 2).filter(|&t| t < kept.len());
                    source.map_or(0.0, |s| value(s, b))
                }
                Fill::Stretch => {
                    let place = (t * (kept.len() - 1) * 256 / (width - 1)) as f64 / 256.0;
                    let part = place.fract();
                    (1.0 - part) * value(place as usize, b) + part * value(place as usize + 1, b)
                }
            };
        }
    }
    tensor
}

#[test]
fn is_its_definition() {
    for (seed, window, bands, pre_emphasis, fill) in [
        (1, 256, 32, true, Fill::Silence),
        (2, 512, 64, true, Fill::Repeat),
        (3, 128, 16, false, Fill::Silence),
        (4, 256, 40, false, Fill::Repeat),
        (5, 512, 40, true, Fill::Silence),
        (6, 256, 40, true, Fill::Stretch),
    ] {
        let settings = LogMel { window, bands, pre_emphasis, fill, high: 3900, ..SETTINGS };
        let samples = voice(8000, seed);
        let (tensor, quality) = run(settings, 8000, &samples).unwrap();
        let expected = define(&settings, &samples);
        let errors: Vec<f64> = tensor.iter().zip(&expected).map(|(&got, e)| (f64::from(got) - e).abs()).collect();
        let worst = errors.iter().copied().fold(0.0, f64::max);
        let mean = errors.iter().sum::<f64>() / errors.len() as f64;
        // A value has 0.24 dB: quiet bands beside loud ones are the least exact.
        assert!(worst <= 2.0 && mean < 0.35, "seed {seed}: worst {worst}, mean {mean}");
        let Quality::Sound { frames, clipped: 0, .. } = quality else { panic!("{quality:?}") };
        assert!((15..30).contains(&(frames * settings.hop / 128)), "{frames}");
        assert!(tensor.contains(&255) && tensor.contains(&0));
    }
}

proptest! {
    #[test]
    fn any_chunks_give_the_same(
        sizes in prop::collection::vec(0usize..3000, 1..20),
        seed in 0u64..50,
        rate in prop::sample::select(vec![8000u32, 16000, 11025, 6000]),
        fill in prop::sample::select(vec![Fill::Silence, Fill::Repeat]),
        frames in 8u16..64,
    ) {
        let front = FrontEnd::LogMel(LogMel { fill, frames, ..SETTINGS });
        chunked(&front, Raw::Sound(Sound { rate, samples: &bytes(&voice(rate, seed)) }), &sizes)?;
    }

    #[test]
    fn any_chunks_of_a_picture_give_the_same(
        sizes in prop::collection::vec(0usize..300, 1..20),
        (width, height) in (1u16..40, 1u16..40),
        pixels in prop::collection::vec(any::<u8>(), 40 * 40 * 3),
        (invert, stretch) in any::<(bool, bool)>(),
        channels in prop::sample::select(vec![1u8, 3]),
    ) {
        let front = FrontEnd::Pixels(Pixels { width: 13, height: 9, channels, invert, stretch });
        let len = usize::from(width) * usize::from(height) * usize::from(channels);
        let image = shared::frontend::Image { width, height, channels, pixels: &pixels[..len] };
        chunked(&front, Raw::Image(image), &sizes)?;
    }

}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn wild_headers_settings_and_samples_never_panic(
        (rate, samples, given) in (any::<u32>(), 0u32..5000, 0usize..9000),
        words in prop::collection::vec(any::<u16>(), 7),
        (range, trim, pre_emphasis) in any::<(u8, u8, bool)>(),
        near in prop::bool::weighted(0.8),
        content in prop::collection::vec(any::<u8>(), 9000),
    ) {
        let settings = match near {
            true => LogMel { rate: 4000 + words[0] % 20000, hop: 32 + words[1] % 225, frames: 4 + words[4] % 60, ..SETTINGS },
            false => LogMel {
                rate: words[0], window: words[1], hop: words[2], bands: words[3] % 100, frames: words[4] % 300,
                low: words[5], high: words[6], range, trim, pre_emphasis, fill: Fill::Repeat,
            },
        };
        let rate = if near { 2000 + rate % 100_000 } else { rate };
        let front = FrontEnd::LogMel(settings);
        let (mut tensor, mut work) = (vec![0; front.tensor_len()], vec![0; front.work_words()]);
        if let Ok(mut stream) = front.start(RawHeader::Sound { rate, samples }, &mut tensor, &mut work) {
            // Whatever was written over the memory in between.
            work.iter_mut().step_by(5).for_each(|word| *word = !*word);
            let _ = stream.push(&content[..given], &mut tensor, &mut work);
            let _ = stream.finish(&mut tensor, &mut work);
        }
    }
}

fn chunked(front: &FrontEnd, raw: Raw<'_>, sizes: &[usize]) -> Result<(), TestCaseError> {
    let (mut whole, mut work) = (vec![1; front.tensor_len()], vec![2; front.work_words()]);
    let at_once = front.run(raw, &mut whole, &mut work).unwrap();
    let mut tensor = vec![3; front.tensor_len()];
    work.fill(4);
    let mut stream = front.start(raw.header(), &mut tensor, &mut work).unwrap();
    let mut rest = raw.bytes();
    for &size in sizes.iter().cycle() {
        // An odd byte, nothing, or much.
        let (chunk, behind) = rest.split_at(size.min(rest.len()));
        stream.push(chunk, &mut tensor, &mut work).unwrap();
        rest = behind;
        if rest.is_empty() || sizes.iter().all(|&size| size == 0) {
            break;
        }
    }
    stream.push(rest, &mut tensor, &mut work).unwrap();
    prop_assert_eq!(stream.finish(&mut tensor, &mut work).unwrap(), at_once);
    prop_assert_eq!(tensor, whole);
    Ok(())
}

#[test]
fn the_level_does_not_matter_and_the_rate_hardly() {
    let samples = voice(8000, 9);
    let (loud, _) = run(SETTINGS, 8000, &samples).unwrap();
    let halved: Vec<i16> = samples.iter().map(|x| x / 4).collect();
    let (soft, _) = run(SETTINGS, 8000, &halved).unwrap();
    let mean =
        |a: &[u8], b: &[u8]| a.iter().zip(b).map(|(&a, &b)| f64::from(a.abs_diff(b))).sum::<f64>() / a.len() as f64;
    assert!(mean(&loud, &soft) < 3.0, "{}", mean(&loud, &soft));
    let repeat = LogMel { fill: Fill::Repeat, high: 3600, ..SETTINGS };
    let (own, _) = run(repeat, 8000, &samples).unwrap();
    for rate in [16000, 44100, 48000] {
        // Every other sample of a finer recording would alias; the resampler's low-pass keeps the spectrum.
        let (resampled, _) = run(repeat, rate, &upsampled(&samples, rate)).unwrap();
        assert!(mean(&own, &resampled) < 4.0, "{rate}: {}", mean(&own, &resampled));
    }
}

/// `samples` of 8 kHz at a higher rate, by the definition of band-limited interpolation.
fn upsampled(samples: &[i16], rate: u32) -> Vec<i16> {
    let len = samples.len() * rate as usize / 8000;
    (0..len)
        .map(|n| {
            let t = n as f64 * 8000.0 / f64::from(rate);
            let near = (t as usize).saturating_sub(40)..(t as usize + 40).min(samples.len());
            let sum: f64 = near
                .map(|m| {
                    let x = std::f64::consts::PI * (t - m as f64);
                    f64::from(samples[m]) * if x == 0.0 { 1.0 } else { x.sin() / x }
                })
                .sum();
            sum.round().clamp(-32768.0, 32767.0) as i16
        })
        .collect()
}

#[test]
fn silence_at_the_ends_is_left_off_and_the_rest_is_cut_to_the_frames() {
    let tone = |len: usize, level: f64| -> Vec<i16> {
        (0..len).map(|n| (level * (n as f64 * 0.7).sin()).round() as i16).collect()
    };
    let settings = LogMel { frames: 16, ..SETTINGS };
    let frames = |samples: &[i16]| match run(settings, 8000, samples).unwrap() {
        (tensor, Quality::Sound { frames, .. }) => (tensor, frames),
        (_, quality) => panic!("{quality:?}"),
    };
    // A second of silence on both sides: as if they were not there.
    let sound = tone(1024 + 256, 9000.0);
    let padded = [vec![0; 8 * 1024], sound.clone(), vec![0; 8 * 1024]].concat();
    let (tensor, kept) = frames(&padded);
    assert_eq!(kept, 11, "nine whole frames, and one on either side that the sound reaches into");
    let middle = |tensor: &[u8], at: usize| tensor.iter().skip(at).step_by(16).copied().collect::<Vec<u8>>();
    assert_eq!(middle(&tensor, 8), middle(&frames(&sound).0, 8));
    assert_eq!(middle(&tensor, 0), [0; 32]);
    // Longer than the tensor: the first frames, whatever follows.
    let (first, kept) = frames(&tone(16 * 128 + 128, 9000.0));
    assert_eq!(kept, 16);
    let (longer, kept) = frames(&tone(90 * 128, 9000.0));
    assert_eq!((&longer, kept), (&first, 16));
    // Unless it was noise that a far louder sound follows.
    let noisy = [tone(90 * 128, 90.0), tone(16 * 128 + 128, 9000.0)].concat();
    let (tensor, kept) = frames(&noisy);
    assert_eq!(kept, 16);
    assert_eq!(middle(&tensor, 9), middle(&first, 9));
}

#[test]
fn says_what_is_wrong_with_a_recording() {
    let error = |rate, samples: &[i16]| run(SETTINGS, rate, samples).unwrap_err();
    assert_eq!(error(8000, &[]), FrontendError::Silent { peak: 0 });
    assert_eq!(error(8000, &[40; 8000]), FrontendError::Silent { peak: 40 });
    assert_eq!(error(8000, &voice(8000, 1)[2000..2400]), FrontendError::Short { frames: 2 });
    assert_eq!(error(8000, &voice(8000, 1)[2000..2200]), FrontendError::Short { frames: 0 });
    assert_eq!(error(100, &[900; 900]), FrontendError::Rate { got: 100, lowest: 2000, highest: 96000 });
    assert!(matches!(error(96001, &[900; 900]), FrontendError::Rate { .. }));
    let clipped: Vec<i16> = voice(8000, 1).iter().map(|x| x.saturating_mul(30)).collect();
    let (_, quality) = run(SETTINGS, 8000, &clipped).unwrap();
    assert_eq!(quality.flaw(), Some(shared::frontend::Flaw::Clipped));
    assert_eq!(run(SETTINGS, 8000, &voice(8000, 1)).unwrap().1.flaw(), None);

    let front = FrontEnd::LogMel(SETTINGS);
    let (mut tensor, mut work) = (vec![0; front.tensor_len()], vec![0; front.work_words()]);
    let header = RawHeader::Sound { rate: 8000, samples: 2 };
    let image = RawHeader::Image { width: 1, height: 1, channels: 1 };
    assert_eq!(front.start(image, &mut tensor, &mut work), Err(FrontendError::NotSound));
    assert!(matches!(front.start(header, &mut tensor[1..], &mut work), Err(FrontendError::Tensor { .. })));
    assert!(matches!(front.start(header, &mut tensor, &mut work[1..]), Err(FrontendError::Work { .. })));
    let mut stream = front.start(header, &mut tensor, &mut work).unwrap();
    stream.push(&[1, 2, 3], &mut tensor, &mut work).unwrap();
    let more = stream.push(&[4, 5], &mut tensor, &mut work);
    assert_eq!(more, Err(FrontendError::Length { got: 5, expected: 4 }));
    assert_eq!(stream.finish(&mut tensor, &mut work), Err(FrontendError::Length { got: 3, expected: 4 }));
}

#[test]
fn settings_are_checked() {
    let key = |settings: LogMel| match settings.check() {
        Err(error @ SettingsError::Range { .. }) => error.to_string().split('`').nth(1).unwrap().to_string(),
        Err(SettingsError::Narrow { .. }) => "narrow".to_string(),
        Ok(()) => "fine".to_string(),
    };
    assert_eq!(key(SETTINGS), "fine");
    assert_eq!(key(LogMel { window: 200, ..SETTINGS }), "window");
    assert_eq!(key(LogMel { hop: 257, ..SETTINGS }), "hop");
    assert_eq!(key(LogMel { high: 4001, ..SETTINGS }), "high");
    assert_eq!(key(LogMel { low: 4000, ..SETTINGS }), "low");
    assert_eq!(key(LogMel { trim: 0, ..SETTINGS }), "trim");
    assert_eq!(key(LogMel { bands: 64, window: 128, ..SETTINGS }), "narrow");
    assert_eq!(key(LogMel { bands: 64, window: 512, ..SETTINGS }), "fine");
}

/// The same numbers on every machine: `kerneltest` on the emulated cores compares with the same checksums.
#[test]
fn tensors_have_their_checksums() {
    let got: Vec<u32> = cases::CASES
        .iter()
        .zip([64, 7, 1, 63, 10, 3])
        .map(|(case, chunk)| cases::checksum(case, chunk, &mut [0; cases::TENSOR], &mut [0; cases::WORK]).unwrap())
        .collect();
    assert_eq!(got, cases::CASES.map(|(_, _, expected)| expected), "{got:#010x?}");
}
