//! The comments of a recipe file.

/// What stands above a table or a key: (table, key, comment); an empty key is the table itself.
pub(super) const COMMENTS: &[(&str, &str, &str)] = &[
    ("", "name", "What the model is called."),
    ("", "seed", "Weights, batches, augmentation and mining follow from it."),
    ("data", "", "Where samples come from."),
    (
        "data",
        "source",
        "glyphs, letters, utterances, espeak, mnist:DIR, omniglot:DIR, images:DIR, signatures:DIR or speech:DIR (utterances and speech: #word, #both; espeak: #speaker).",
    ),
    ("data", "name", "What people call the data, for the model card."),
    ("data", "licence", "The data's licence and where it is from, for the model card."),
    ("data", "note", "What must be known of the figures on this data, for the model card."),
    ("data", "world", "Which world of glyphs and letters is drawn, of utterances spoken; files do not heed it."),
    ("data", "threshold_source", "Whence the identities come that choose the threshold, if not from the source."),
    ("data", "threshold_inverted", "Of these dark on light becomes light on dark."),
    ("data", "rotations_as_classes", "Turned by 90, 180 and 270 degrees, each training identity is another one."),
    (
        "data",
        "mirrors_as_classes",
        "Mirrored left and right, upside down, or both, each training identity is another one.",
    ),
    ("data", "forgeries_as_classes", "The forgeries of each training identity train as an identity of their own."),
    (
        "data",
        "halves_as_classes",
        "The first half of one training identity with the second half of another is another one.",
    ),
    ("data", "reversals_as_classes", "Played backwards, each training word is another one."),
    ("data", "voices_as_classes", "At so many pitches behind so many filters, each training voice is as many voices."),
    ("data.split", "", "Identities of each part, as s1-s20,anna or *."),
    ("data.split", "train", "Train the network."),
    ("data.split", "threshold", "Choose the threshold; never trained on."),
    ("data.split", "test", "Judge the finished model."),
    ("data.also", "", "A source that only trains: every batch holds some of its samples besides."),
    ("data.also", "source", "As the source above: of pictures beside pictures, of recordings beside recordings."),
    ("data.also", "name", "What people call it, for the model card."),
    ("data.also", "licence", "Its licence and where it is from, for the model card."),
    ("data.also", "identities", "Its identities that train."),
    ("data.also", "invert", "Its dark on light becomes light on dark; all else of [input] holds for it too."),
    ("data.also", "rotations_as_classes", "Turned by 90, 180 and 270 degrees, each of its identities is another one."),
    ("data.also.sampling.balanced", "", "Its part of every batch."),
    ("data.also.sampling.balanced", "identities", "Identities of it in a batch."),
    ("data.also.sampling.balanced", "samples", "Samples of each of them."),
    ("input", "", "What the network gets to see: pixels, or frames (width) and bands (height) of a recording."),
    ("input", "width", "Columns."),
    ("input", "height", "Rows."),
    ("input", "channels", "Always 1: pictures are read in grey."),
    ("input", "invert", "Dark on light becomes light on dark."),
    ("input", "stretch", "The darkest value becomes 0, the lightest 255."),
    ("input.sound", "", "The spectrogram of recordings."),
    ("input.sound", "rate", "Hz; recordings of another rate are resampled."),
    ("input.sound", "window", "Samples of a frame: 128, 256 or 512."),
    ("input.sound", "hop", "Samples from one frame to the next."),
    ("input.sound", "low", "Where the lowest band begins, in Hz."),
    ("input.sound", "high", "Where the highest band ends, in Hz, up to half the rate."),
    ("input.sound", "range", "dB from the lowest value to the loudest of the recording, 20 to 120."),
    ("input.sound", "trim", "dB below the loudest frame at which silence begins, 6 to 120."),
    ("input.sound", "pre_emphasis", "Each sample loses 31/32 of the one before it."),
    ("input.sound", "fill", "repeat, silence or stretch where a recording has no more frames than these."),
    ("net", "", "The network."),
    ("net", "family", "compact (for the board) or article."),
    ("net", "width_multiplier", "Factor of the compact network's channels."),
    ("net", "pool", "average, or weighted by learned weights, of the compact network's last picture."),
    ("net", "embedding", "Values of an embedding."),
    ("net", "metric", "euclidean or cosine (embeddings are scaled to length 1)."),
    ("net", "start", "A model's folder whose weights training starts from."),
    ("augment", "", "How far training samples are varied; nothing at 0."),
    ("augment", "shift", "Part of the side."),
    ("augment", "scale", "From 1 - scale to 1 + scale."),
    ("augment", "stretch", "Ratio of width to height, from 1 - stretch to 1 + stretch."),
    ("augment", "rotation", "Degrees either way."),
    ("augment", "shear", "Columns a row, either way."),
    ("augment", "flip", "Mirror left and right in half of the cases."),
    ("augment", "crop", "A window of 1 - crop to 1 times the sides is brought to the whole size."),
    ("augment", "elastic", "Standard deviation of smooth random displacements, a part of the shorter side."),
    ("augment", "elastic_sigma", "Deviation of the Gaussian that smooths them, a part of the shorter side."),
    ("augment", "stroke", "Pixels by which light strokes grow or shrink on each side."),
    ("augment", "contrast", "Factor from 1 - contrast to 1 + contrast."),
    ("augment", "brightness", "Summand either way, 1 being the whole range."),
    ("augment", "noise", "Standard deviation of noise on every value, 1 being the whole range."),
    ("augment", "erase", "Sides of a rectangle that becomes 0, parts of the whole."),
    ("sound_augment", "", "How far training recordings are varied; nothing at 0."),
    ("sound_augment", "speed", "Speed and pitch, from 1 - speed to 1 + speed."),
    ("sound_augment", "resonance", "dB either way of three resonances anywhere in the band."),
    ("sound_augment", "gain", "dB either way."),
    ("sound_augment", "noise", "White noise, up to this part of the recording's root mean square."),
    ("sound_augment", "mix", "Another recording in the background, alike."),
    ("sound_augment", "shift", "Turn of the frames, as a part of the width."),
    ("sound_augment", "time_mask", "Longest run of frames that is silenced, as a part of all (SpecAugment)."),
    ("sound_augment", "frequency_mask", "Widest run of bands that is silenced, as a part of all."),
    ("optimizer", "", "Adam with decoupled weight decay."),
    ("optimizer", "weight_decay", "Part of every weight that a step of learning rate 1 takes away."),
    (
        "optimizer",
        "average",
        "Decay of the average of the weights, which is what is kept; 0 for the weights themselves.",
    ),
    ("validation", "", "The equal error rate is measured on samples of the threshold part."),
    ("validation", "every_steps", "A checkpoint is kept after each measurement."),
    ("validation", "samples", "Samples that are embedded, at most."),
    (
        "validation",
        "pairs",
        "Pairs of them that are compared, at most; half of them of one identity, where there are as many.",
    ),
    ("validation", "patience", "Measurements without a new best after which a phase ends; 0 for never."),
    (
        "validation",
        "keep",
        "best (the last phase's lowest rate) or last (where the threshold part has few identities).",
    ),
    ("export", "", "What `doppel export` does with the network."),
    ("export", "target_fmr", "False-match rate that the decision threshold is chosen for."),
    ("export", "against", "Whom it keeps out at that rate: others, or skilled forgeries."),
    (
        "export",
        "references",
        "Samples of each template that the threshold is measured with; 0 for every pair of samples.",
    ),
    ("export", "calibration_samples", "Samples of the train part that the quantization ranges are taken from."),
    ("export", "spread", "A template of several samples allows more the more these differ, and less the less."),
    ("phase", "", "One training; further [[phase]] tables go on with its network."),
    ("phase", "epochs", "Passes over the data."),
    ("phase", "steps", "Steps after which it ends before its epochs do; 0 for never."),
    ("phase", "learning_rate", "Highest learning rate, after the warm-up."),
    ("phase", "warmup_steps", "Steps in which it rises from 0."),
    ("phase", "final_learning_rate", "Part of it that half a cosine leaves at the end."),
    ("phase.sampling.balanced", "", "Batches of P identities with K samples each."),
    ("phase.sampling.balanced", "identities", "Identities of a batch."),
    ("phase.sampling.balanced", "samples", "Samples of each."),
    ("phase.sampling.shuffled", "", "Batches of so many samples in shuffled order."),
    ("phase.sampling.shuffled", "batch", "Samples in a batch."),
    ("phase.loss", "", "What is minimized."),
    ("phase.loss", "method", "contrastive, triplet, softmax, sphereface, cosface or arcface."),
    (
        "phase.loss",
        "margin",
        "contrastive: a distance; triplet: of squared distances; sphereface: a factor of the angle; cosface: of the cosine; arcface: radians.",
    ),
    ("phase.loss", "mining", "random, semi-hard or hard."),
    ("phase.loss", "lambda_min", "Where the annealed weight of the plain cosine ends."),
    ("phase.loss", "scale", "Factor of the cosines."),
    ("phase.contrast", "", "Besides: the supervised contrastive loss of the batch."),
    ("phase.contrast", "weight", "Factor of it in the sum."),
    ("phase.contrast", "temperature", "Divisor of the similarities."),
];

/// Puts the comments above the lines that they explain.
pub(super) fn add(toml: &str) -> String {
    let mut out =
        String::from("# Everything that `doppel train` needs to train this model again. Unknown keys are errors.\n\n");
    let mut table = String::new();
    for line in toml.lines() {
        let key = if let Some(name) = line.strip_prefix('[') {
            table = name.trim_matches(['[', ']']).to_string();
            ""
        } else {
            match line.split_once(" = ") {
                Some((key, _)) => key,
                None => {
                    out += line;
                    out += "\n";
                    continue;
                }
            }
        };
        let found = COMMENTS.iter().find(|(t, k, _)| *t == table && *k == key);
        if let Some((_, _, comment)) = found {
            out += "# ";
            out += comment;
            out += "\n";
        }
        out += line;
        out += "\n";
    }
    out
}
