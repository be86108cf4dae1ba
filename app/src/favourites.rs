//! The docks that a rider keeps at hand.

use std::sync::Arc;

use crate::city::LiveDock;

/// As many are kept at most: of another one the first is let go.
const FAVOURITES_MAX: usize = 50;

/// Names of docks, in the order in which they were chosen: another server, or the same one after a new
/// start, may number docks otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Favourites(Vec<Arc<str>>);

#[cfg_attr(
    not(feature = "hydrate"),
    allow(dead_code, reason = "only a device keeps them")
)]
impl Favourites {
    /// Reads what [`Favourites::to_text`] writes.
    pub(crate) fn parse(text: &str) -> Self {
        let mut favourites = Self::default();
        for name in text.lines() {
            // A station without a name cannot be found again.
            if !name.is_empty() && !favourites.has(name) {
                favourites.toggle(name.into());
            }
        }
        favourites
    }

    /// A line for each: no name has more than one.
    pub(crate) fn to_text(&self) -> String {
        self.0.join("\n")
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|known| &**known == name)
    }

    /// Takes a dock in, or lets it go.
    pub(crate) fn toggle(&mut self, name: Arc<str>) {
        if self.has(&name) {
            return self.0.retain(|known| *known != name);
        }
        if self.0.len() == FAVOURITES_MAX {
            self.0.remove(0);
        }
        self.0.push(name);
    }

    /// Those that the city has, in their order.
    pub(crate) fn among(&self, docks: &[LiveDock]) -> Vec<LiveDock> {
        let of_name = |name: &Arc<str>| docks.iter().find(|dock| dock.name == *name);
        self.0.iter().filter_map(of_name).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_dock_is_kept_until_it_is_chosen_again() {
        let mut favourites = Favourites::parse("W 4 St & 7 Ave\n1 Ave & E 1 St");
        favourites.toggle("Broadway & W 60 St".into());
        favourites.toggle("W 4 St & 7 Ave".into());
        assert_eq!(favourites.to_text(), "1 Ave & E 1 St\nBroadway & W 60 St");
    }

    proptest! {
        #[test]
        fn whatever_a_device_holds_gives_few_names_which_are_read_as_they_are_written(
            text in "([a-c\u{e9} ]{0,3}\r?\n){0,80}",
        ) {
            let favourites = Favourites::parse(&text);
            prop_assert!(favourites.0.len() <= FAVOURITES_MAX);
            prop_assert_eq!(Favourites::parse(&favourites.to_text()), favourites);
        }
    }
}
