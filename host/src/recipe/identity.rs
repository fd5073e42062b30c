//! Whether two recipes are of one training.

use toml::{Table, Value};

use super::Recipe;
use crate::checksum::crc64;

impl Recipe {
    /// 16 hexadecimal digits that tell trainings apart: a CRC-64 of what a network is trained on and how.
    ///
    /// Names, licences, notes, the folders that files lie in, the identities that choose the threshold or test, and what only the export
    /// heeds are left out. A new key must not be written at its default, or the fingerprints of older models change.
    pub fn fingerprint(&self) -> String {
        let mut table = self.table();
        table.remove("name");
        table.remove("export");
        if let Some(Value::Table(data)) = table.get_mut("data") {
            without_places(data);
            data.retain(|key, _| !key.starts_with("threshold"));
            if let Some(Value::Table(split)) = data.get_mut("split") {
                split.retain(|part, _| part == "train");
            }
            if let Some(Value::Array(also)) = data.get_mut("also") {
                also.iter_mut().filter_map(Value::as_table_mut).for_each(without_places);
            }
        }
        if let Some(Value::String(start)) = table.get_mut("net").and_then(|net| net.get_mut("start")) {
            *start = start.rsplit(['/', '\\']).next().unwrap_or_default().to_string();
        }
        format!("{:016x}", crc64(&[table.to_string().as_bytes()]))
    }

    /// 16 hexadecimal digits that tell the exports of one training apart: a CRC-64 of what chooses the threshold, and of `[export]`.
    pub fn export_fingerprint(&self) -> String {
        let mut table = self.table();
        table.retain(|key, _| key == "data" || key == "export");
        if let Some(Value::Table(data)) = table.get_mut("data") {
            without_places(data);
            data.retain(|key, _| key.starts_with("threshold") || key == "split");
            if let Some(Value::Table(split)) = data.get_mut("split") {
                split.retain(|part, _| part == "threshold");
            }
        }
        format!("{:016x}", crc64(&[table.to_string().as_bytes()]))
    }

    /// The first key by which `other` is another recipe, whatever the models are called.
    pub fn first_difference(&self, other: &Recipe) -> Option<String> {
        let (mut one, mut two) = (self.table(), other.table());
        one.remove("name");
        two.remove("name");
        difference(&Value::Table(one), &Value::Table(two)).map(|key| key.trim_start_matches('.').to_string())
    }

    fn table(&self) -> Table {
        // Serialization fails on maps without text keys and the like only; a recipe has none.
        Table::try_from(self).unwrap_or_default()
    }
}

/// Leaves of a source its kind and task.
fn without_places(data: &mut Table) {
    data.remove("name");
    data.remove("licence");
    data.remove("note");
    for (key, value) in data.iter_mut().filter(|(key, _)| key.ends_with("source")) {
        if let Value::String(source) = value
            && let Some((kind, place)) = source.split_once(':')
        {
            let task = place.rsplit_once('#').map_or("", |(_, task)| task);
            *source = format!("{kind}#{task}");
        }
        debug_assert!(value.is_str(), "{key} is a source");
    }
}

fn difference(one: &Value, two: &Value) -> Option<String> {
    let within = |key: String, one: Option<&Value>, two: Option<&Value>| match (one, two) {
        (Some(one), Some(two)) => difference(one, two).map(|rest| format!("{key}{rest}")),
        (None, None) => None,
        _ => Some(key),
    };
    match (one, two) {
        (Value::Table(a), Value::Table(b)) => {
            a.keys().chain(b.keys()).find_map(|key| within(format!(".{key}"), a.get(key), b.get(key)))
        }
        (Value::Array(a), Value::Array(b)) => {
            (0..a.len().max(b.len())).find_map(|index| within(format!("[{index}]"), a.get(index), b.get(index)))
        }
        _ => (one != two).then(String::new),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Choices;

    fn recipe() -> Recipe {
        Choices::new("glyphs".parse().unwrap(), "letters").recipe().unwrap()
    }

    fn changed(change: impl Fn(&mut Recipe)) -> Recipe {
        let mut recipe = recipe();
        change(&mut recipe);
        recipe
    }

    #[test]
    fn a_fingerprint_tells_trainings_apart_and_heeds_nothing_else() {
        let same = |change: fn(&mut Recipe)| changed(change).fingerprint() == recipe().fingerprint();
        assert!(same(|r| r.name = "others".into()));
        assert!(same(|r| r.data.licence = Some("MIT".into())));
        assert!(same(|r| r.data.note = Some("Chosen in hindsight.".into())));
        assert!(same(|r| r.export.target_fmr = 0.5));
        assert!(!same(|r| r.seed += 1));
        assert!(same(|r| r.data.split.test = "7-9".parse().unwrap()));
        assert!(same(|r| r.data.split.threshold = "7-9".parse().unwrap()));
        assert!(!same(|r| r.data.split.train = "7-9".parse().unwrap()));
        assert!(!same(|r| r.phases[0].epochs += 1));
        assert!(!same(|r| r.data.source = "mnist:here".parse().unwrap()));
        let of = |source: &str| changed(|r| r.data.source = source.parse().unwrap()).fingerprint();
        assert_eq!(of("images:here"), of("images:../there"));
        assert_ne!(of("speech:here#word"), of("speech:here"));
    }

    #[test]
    fn what_an_export_heeds_tells_exports_apart() {
        let same = |change: fn(&mut Recipe)| changed(change).export_fingerprint() == recipe().export_fingerprint();
        assert!(same(|r| r.seed += 1));
        assert!(same(|r| r.data.split.train = "7-9".parse().unwrap()));
        assert!(!same(|r| r.data.split.threshold = "7-9".parse().unwrap()));
        assert!(!same(|r| r.data.threshold_source = Some("espeak".parse().unwrap())));
        assert!(!same(|r| r.data.threshold_inverted = true));
        assert!(!same(|r| r.export.calibration_samples += 1));
        assert!(!same(|r| r.export.target_fmr = 0.5));
    }

    #[test]
    fn the_differing_key_is_named() {
        let key = |change: fn(&mut Recipe)| recipe().first_difference(&changed(change));
        assert_eq!(key(|r| r.name = "others".into()), None);
        assert_eq!(key(|r| r.seed += 1).unwrap(), "seed");
        assert_eq!(key(|r| r.data.split.train = "0-9".parse().unwrap()).unwrap(), "data.split.train");
        assert_eq!(key(|r| r.phases[0].epochs += 1).unwrap(), "phase[0].epochs");
        assert_eq!(key(|r| r.phases.push(r.phases[0])).unwrap(), "phase[1]");
        assert_eq!(key(|r| r.data.licence = Some("MIT".into())).unwrap(), "data.licence");
    }
}
