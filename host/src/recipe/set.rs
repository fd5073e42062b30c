//! Single values of a recipe, set by their names.

use std::str::FromStr;

use toml::{Table, Value};

use super::{Recipe, RecipeError};

/// A recipe's value by its name: `augment.erase=0.25`, `net.pool=weighted`. A name that leads through a list, as `phase.epochs`,
/// means all of its tables, `phase.1.epochs` the second one.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    key: String,
    value: Value,
}

impl FromStr for Assignment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value) = text.split_once('=').ok_or("write KEY=VALUE, as augment.erase=0.25")?;
        let (key, value) = (key.trim(), value.trim());
        if key.is_empty() || key.split('.').any(str::is_empty) {
            return Err("the key is the value's name in recipe.toml, as augment.erase".into());
        }
        // What is no value of TOML is a text without its quotation marks.
        let parsed = format!("value = {value}").parse::<Table>().ok().and_then(|mut table| table.remove("value"));
        Ok(Assignment { key: key.to_string(), value: parsed.unwrap_or_else(|| Value::String(value.to_string())) })
    }
}

impl Recipe {
    /// The recipe with these values, one after the other.
    pub fn with(&self, assignments: &[Assignment]) -> Result<Recipe, RecipeError> {
        assignments.iter().try_fold(self.clone(), |recipe, assignment| {
            let refused = |message: &str| RecipeError::Set {
                key: assignment.key.clone(),
                value: assignment.value.to_string(),
                message: message.trim_end().replace('\n', " "),
            };
            let mut all = Value::try_from(&recipe).map_err(|error| refused(&error.to_string()))?;
            let path: Vec<&str> = assignment.key.split('.').collect();
            put(&mut all, &path, &assignment.value).map_err(refused)?;
            all.clone().try_into().or_else(|error: toml::de::Error| {
                // A number may be a name, as the identity 7 is.
                let text = Value::String(assignment.value.to_string());
                let named = put(&mut all, &path, &text).ok().and_then(|()| all.try_into().ok());
                named.filter(|_| !assignment.value.is_str()).ok_or_else(|| refused(error.message()))
            })
        })
    }
}

/// Puts `new` to the place `path` below `at`.
fn put(at: &mut Value, path: &[&str], new: &Value) -> Result<(), &'static str> {
    let Some((first, rest)) = path.split_first() else {
        *at = new.clone();
        return Ok(());
    };
    match at {
        Value::Table(table) if rest.is_empty() => {
            table.insert(first.to_string(), new.clone());
            Ok(())
        }
        Value::Table(table) => put(
            table.get_mut(*first).ok_or("the recipe has no such table: set it as a whole, as TABLE={key=1}")?,
            rest,
            new,
        ),
        Value::Array(tables) => match first.parse::<usize>() {
            Ok(index) => put(tables.get_mut(index).ok_or("there are fewer tables, counted from 0")?, rest, new),
            Err(_) => tables.iter_mut().try_for_each(|table| put(table, path, new)),
        },
        _ => Err("what stands before the last point is no table"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::tests::recipe;
    use crate::recipe::{Choices, Method, Pool};

    fn set(recipe: &Recipe, text: &str) -> Result<Recipe, String> {
        let assignments: Vec<Assignment> = text.split(' ').map(|one| one.parse().unwrap()).collect();
        recipe.with(&assignments).map_err(|error| error.to_string())
    }

    #[test]
    fn values_of_every_kind_are_set() {
        let new =
            set(&recipe(), "seed=9 augment.erase=0.25 net.pool=weighted data.split.test=\"7-9\" augment.flip=true");
        let new = new.unwrap();
        assert_eq!((new.seed, new.augment.erase, new.net.pool, new.augment.flip), (9, 0.25, Pool::Weighted, true));
        assert_eq!(new.data.split.test.to_string(), "7-9");
        // A whole number where a fraction is due, and a key that the file leaves out.
        assert_eq!(set(&recipe(), "augment.rotation=7").unwrap().augment.rotation, 7.0);
        assert!(set(&recipe(), "export.spread=true").unwrap().export.spread);
        // An identity that looks like a number, and a table that the file leaves out.
        assert_eq!(set(&recipe(), "data.split.test=7").unwrap().data.split.test.to_string(), "7");
        let contrast = set(&recipe(), "phase.contrast={weight=1,temperature=0.1}").unwrap().phases[0].contrast;
        assert_eq!(contrast.map(|contrast| contrast.weight), Some(1.0));
    }

    #[test]
    fn lists_are_set_as_a_whole_or_by_their_numbers() {
        let mut choices = Choices::new("glyphs".parse().unwrap(), "letters");
        choices.then = Some(Method::Triplet);
        let recipe = choices.recipe().unwrap();
        let epochs = |text: &str| set(&recipe, text).unwrap().phases.iter().map(|p| p.epochs).collect::<Vec<_>>();
        assert_eq!(epochs("phase.epochs=4"), [4, 4]);
        assert_eq!(epochs("phase.epochs=4 phase.1.epochs=5"), [4, 5]);
        assert!(set(&recipe, "phase.2.epochs=5").unwrap_err().contains("counted from 0"));
    }

    #[test]
    fn what_is_no_value_is_refused_by_its_name() {
        for (text, word) in [
            ("augment.eraser=1", "unknown field `eraser`"),
            ("augment.erase=much", "invalid type"),
            ("seed.more=1", "no table"),
            ("nothing.more=1", "no such table"),
            ("phase.sampling.balanced.sample=2", "unknown field `sample`"),
            ("phase.loss={method=\"softmax\",margin=0.3}", "unknown field `margin`"),
        ] {
            let error = set(&recipe(), text).unwrap_err();
            assert!(error.contains(word) && error.contains(text.split('=').next().unwrap()), "{error}");
        }
        for text in ["seed", "=1", "a..b=1"] {
            assert!(text.parse::<Assignment>().is_err(), "{text}");
        }
    }
}
