//! What a network was trained by before its own recipe.

use super::{FILE_NAME, Recipe};
use crate::data::Spec;

/// A recipe, the one of the network that it starts from, the one of that network's start, and so on.
#[derive(Clone, Debug)]
pub struct Lineage {
    /// Its own recipe first.
    pub recipes: Vec<Recipe>,
    /// Whether that is all of them; else the last one's start has no recipe that can be read, seen from the current folder.
    pub whole: bool,
}

impl Recipe {
    /// All that the network was trained by.
    pub fn lineage(&self) -> Lineage {
        let (mut recipes, mut starts) = (vec![self.clone()], Vec::new());
        while let Some(start) = recipes.last().and_then(|last| last.net.start.clone()) {
            match Recipe::load(&start.join(FILE_NAME)) {
                // Those that start from each other in a circle have no end.
                Ok(recipe) if !starts.contains(&start) => {
                    recipes.push(recipe);
                    starts.push(start);
                }
                _ => return Lineage { recipes, whole: false },
            }
        }
        Lineage { recipes, whole: true }
    }
}

impl Lineage {
    /// Whether one of the recipes trains on the identity `name` of `source`.
    pub fn trains_on(&self, source: &Spec, name: &str) -> bool {
        self.recipes.iter().map(|recipe| &recipe.data).any(|data| {
            data.source.is_at(source) && data.split.train.matches(name)
                || data.also.iter().any(|also| also.source.is_at(source) && also.identities.matches(name))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::espeak::Kind;
    use crate::recipe::tests::recipe;

    #[test]
    fn who_trained_the_start_trained_the_network() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = recipe();
        first.data.split.train = "1-3".parse().unwrap();
        first.save(folder.path()).unwrap();
        let mut second = recipe();
        second.data.split.train = "7".parse().unwrap();
        assert!(second.lineage().whole && !second.lineage().trains_on(&Spec::Glyphs, "2"));
        second.net.start = Some(folder.path().to_path_buf());
        let lineage = second.lineage();
        assert!(lineage.whole && lineage.trains_on(&Spec::Glyphs, "2") && lineage.trains_on(&Spec::Glyphs, "7"));
        assert!(!lineage.trains_on(&Spec::Glyphs, "8") && !lineage.trains_on(&Spec::Espeak(Kind::Words), "2"));
        // From itself, and from what is not there.
        first.net.start = second.net.start.clone();
        first.save(folder.path()).unwrap();
        assert!(!second.lineage().whole);
        second.net.start = Some(folder.path().join("none"));
        assert_eq!((second.lineage().recipes.len(), second.lineage().whole), (1, false));
    }
}
